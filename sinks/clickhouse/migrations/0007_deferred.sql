-- Crashes that the door's rules deferred: they are kept, and not processed before somebody
-- asks for them. Of a crash id the first raw record counts, as everywhere.
CREATE TABLE IF NOT EXISTS aftershock.deferred_rows
(
    day Date,
    crash_id String,
    received_at DateTime64(3, 'UTC'),
    kind LowCardinality(String),
    throttle_rule LowCardinality(String),
    throttle_rate Float64,
    ver UInt128
)
ENGINE = ReplacingMergeTree(ver)
PARTITION BY toYYYYMM(day)
ORDER BY (day, crash_id);

-- What analysts see of them is how many there are, and how many were sent.
CREATE VIEW IF NOT EXISTS aftershock.deferred AS
SELECT day, kind, throttle_rule, count() AS deferred, sum(1 / throttle_rate) AS sent
FROM aftershock.deferred_rows FINAL
GROUP BY day, kind, throttle_rule;
