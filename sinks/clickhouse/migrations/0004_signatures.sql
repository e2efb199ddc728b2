-- What two versions, or two revisions, made of a crash, narrow and side by side:
-- crash_rows is wide, sorted by version, and forgets older revisions. A view fills
-- it from every insert into crash_rows, and like there the same row stored again
-- collapses: the revision is in the order, so that older ones stay. Only within a
-- revision the lower raw offset wins (ver, as in crash_rows).
--
-- crash is the crash id: it has the form of a UUID, so nothing is lost. symbols is
-- a digest of the symbol files that the walk used, of all modules: also one that
-- is not in the stack can have decided about a frame. A collision would hide
-- symbols as a cause, and nothing else.
CREATE TABLE IF NOT EXISTS aftershock.signatures
(
    signature_version UInt32,
    day Date,
    crash UUID CODEC(NONE),
    revision UInt64,
    ver UInt128 CODEC(ZSTD(1)),
    received_at DateTime64(3, 'UTC') CODEC(ZSTD(1)),
    signature LowCardinality(String),
    symbols UInt64
)
ENGINE = ReplacingMergeTree(ver)
PARTITION BY (signature_version, toYYYYMM(day))
ORDER BY (day, crash, signature_version, revision);

CREATE MATERIALIZED VIEW IF NOT EXISTS aftershock.signatures_of_crash_rows TO aftershock.signatures AS
SELECT signature_version, day, toUUID(crash_id) AS crash, revision, ver, received_at, signature, sipHash64(`modules.symbols_sha256`) AS symbols
FROM aftershock.crash_rows;

-- What is there from before. Rows that come in meanwhile are in it twice, which is
-- once. There may be any number of months and versions.
INSERT INTO aftershock.signatures
SELECT signature_version, day, toUUID(crash_id), revision, ver, received_at, signature, sipHash64(`modules.symbols_sha256`)
FROM aftershock.crash_rows
SETTINGS max_partitions_per_insert_block = 0;
