-- Which signature version is seen for which received_at. Each change is one row
-- with a higher epoch, so that one insert flips every view at once.
CREATE TABLE IF NOT EXISTS aftershock.activation
(
    epoch UInt64,
    ranges Array(Tuple(from DateTime64(3, 'UTC'), to DateTime64(3, 'UTC'), signature_version UInt32))
)
ENGINE = ReplacingMergeTree ORDER BY epoch;

-- What analysts ask. The scalar subquery is evaluated once per query; the first
-- condition on it prunes partitions, the second decides.
CREATE VIEW IF NOT EXISTS aftershock.crashes AS
WITH (SELECT argMax(ranges, epoch) FROM aftershock.activation) AS active
SELECT * EXCEPT (ver)
FROM aftershock.crash_rows FINAL
WHERE has(tupleElement(active, 'signature_version'), signature_version)
  AND arrayExists(r -> tupleElement(r, 'signature_version') = signature_version
                   AND tupleElement(r, 'from') <= received_at AND received_at < tupleElement(r, 'to'), active);

CREATE VIEW IF NOT EXISTS aftershock_protected.crashes AS
WITH (SELECT argMax(ranges, epoch) FROM aftershock.activation) AS active
SELECT * EXCEPT (ver)
FROM aftershock_protected.crash_rows FINAL
WHERE has(tupleElement(active, 'signature_version'), signature_version)
  AND arrayExists(r -> tupleElement(r, 'signature_version') = signature_version
                   AND tupleElement(r, 'from') <= received_at AND received_at < tupleElement(r, 'to'), active);
