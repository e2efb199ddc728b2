-- Which crashes were asked for again because symbols had come, and what they were before: what
-- became of them is their row. upto is the offset of crash.symbols behind what was known by
-- then.
CREATE TABLE IF NOT EXISTS aftershock.heals
(
    upto UInt64,
    asked_at DateTime64(3, 'UTC'),
    kind LowCardinality(String),
    signature_version UInt32,
    day Date,
    crash_id UUID,
    revision UInt64,
    signature String,
    -- <debug file>/<debug id> of the modules whose symbols had come.
    modules Array(LowCardinality(String))
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(asked_at)
ORDER BY (upto, signature_version, crash_id)
TTL toDate(asked_at) + INTERVAL 400 DAY;
