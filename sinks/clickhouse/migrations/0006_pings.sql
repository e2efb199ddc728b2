-- Crash pings: stacks without memory, of machines whose reports may be here as well.
-- They are never counted as crashes, and so have tables of their own, with the columns,
-- the order and the rules of crash_rows and signatures.
CREATE TABLE IF NOT EXISTS aftershock.ping_rows AS aftershock.crash_rows
ENGINE = ReplacingMergeTree(ver)
PARTITION BY (signature_version, toYYYYMM(day))
ORDER BY (signature_version, day, crash_id);

CREATE TABLE IF NOT EXISTS aftershock_protected.ping_rows AS aftershock_protected.crash_rows
ENGINE = ReplacingMergeTree(ver)
PARTITION BY (signature_version, toYYYYMM(day))
ORDER BY (signature_version, day, crash_id);

CREATE TABLE IF NOT EXISTS aftershock.ping_signatures AS aftershock.signatures
ENGINE = ReplacingMergeTree(ver)
PARTITION BY (signature_version, toYYYYMM(day))
ORDER BY (day, crash, signature_version, revision);

-- No sink stores pings before the tables are there: nothing is to be filled in.
CREATE MATERIALIZED VIEW IF NOT EXISTS aftershock.signatures_of_ping_rows TO aftershock.ping_signatures AS
SELECT signature_version, day, toUUID(crash_id) AS crash, revision, ver, received_at, signature, sipHash64(`modules.symbols_sha256`) AS symbols
FROM aftershock.ping_rows;

CREATE VIEW IF NOT EXISTS aftershock.pings AS
WITH (SELECT argMax(ranges, epoch) FROM aftershock.activation) AS active
SELECT * EXCEPT (ver)
FROM aftershock.ping_rows FINAL
WHERE has(tupleElement(active, 'signature_version'), signature_version)
  AND arrayExists(r -> tupleElement(r, 'signature_version') = signature_version
                   AND tupleElement(r, 'from') <= received_at AND received_at < tupleElement(r, 'to'), active);

CREATE VIEW IF NOT EXISTS aftershock_protected.pings AS
WITH (SELECT argMax(ranges, epoch) FROM aftershock.activation) AS active
SELECT * EXCEPT (ver)
FROM aftershock_protected.ping_rows FINAL
WHERE has(tupleElement(active, 'signature_version'), signature_version)
  AND arrayExists(r -> tupleElement(r, 'signature_version') = signature_version
                   AND tupleElement(r, 'from') <= received_at AND received_at < tupleElement(r, 'to'), active);
