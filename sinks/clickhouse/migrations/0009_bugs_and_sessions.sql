-- Bugs and the signatures they are about, as their tracker has them: loaded again, the newer
-- row counts, and what a load leaves out may be taken away by it.
CREATE TABLE IF NOT EXISTS aftershock.signature_bugs
(
    signature String,
    bug String,
    url String,
    summary String,
    state LowCardinality(String),
    removed UInt8,
    loaded UInt64
)
ENGINE = ReplacingMergeTree(loaded)
ORDER BY (signature, bug);

CREATE VIEW IF NOT EXISTS aftershock.bugs AS
SELECT signature, bug, url, summary, state
FROM aftershock.signature_bugs FINAL
WHERE NOT removed;

-- How many sessions and users there were, from wherever they are counted: loaded again, the
-- newer row counts.
CREATE TABLE IF NOT EXISTS aftershock.sessions
(
    day Date,
    product LowCardinality(String),
    version LowCardinality(String),
    channel LowCardinality(String),
    os LowCardinality(String),
    sessions UInt64,
    users UInt64,
    loaded DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(loaded)
ORDER BY (day, product, version, channel, os);
