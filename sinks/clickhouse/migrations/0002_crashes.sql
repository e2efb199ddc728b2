-- One row is one crash in one signature version. Rows are idempotent: the same
-- crash stored again collapses, and of two results the one with the higher ver
-- stays (a higher revision, then the lower raw offset). The order and the
-- partition are made of what never changes: the signature version and the crash
-- id, which holds the day. month is that of the crash id's day, in UTC.
CREATE TABLE IF NOT EXISTS aftershock.crash_rows
(
    signature_version UInt32,
    day Date,
    crash_id String,
    received_at DateTime64(3, 'UTC'),
    revision UInt64,
    ver UInt128,
    signature LowCardinality(String),
    proto_signature String CODEC(ZSTD(3)),
    signature_notes Array(LowCardinality(String)),
    dump_status LowCardinality(String),
    product LowCardinality(String),
    version LowCardinality(String),
    channel LowCardinality(String),
    build_id LowCardinality(String),
    process_type LowCardinality(String),
    os LowCardinality(String),
    os_version LowCardinality(String),
    cpu_arch LowCardinality(String),
    cpu_info LowCardinality(String),
    cpu_count UInt32,
    reason LowCardinality(String),
    uptime_seconds Nullable(Int64),
    crashing_thread Nullable(Int32),
    thread_count UInt32,
    -- The crashing thread, innermost first; a function inlined into a frame
    -- stands before it with the frame's number and inlined = 1.
    stack Nested
    (
        frame UInt32,
        inlined UInt8,
        trust LowCardinality(String),
        module LowCardinality(String),
        module_offset String,
        function LowCardinality(String),
        file LowCardinality(String),
        line UInt32
    ),
    modules Nested
    (
        filename LowCardinality(String),
        version LowCardinality(String),
        code_id LowCardinality(String),
        debug_file LowCardinality(String),
        debug_id LowCardinality(String),
        symbols LowCardinality(String),
        symbols_sha256 LowCardinality(String)
    ),
    annotations Map(LowCardinality(String), String),
    memory_map_count Nullable(Int64),
    throttle_rule LowCardinality(String),
    throttle_rate Float64,
    notes Nested(code LowCardinality(String), stage LowCardinality(String), index Int32),
    content_hash String,
    raw_topic LowCardinality(String),
    raw_partition Int32,
    raw_offset Int64,
    processed_topic LowCardinality(String),
    processed_partition Int32,
    processed_offset Int64
)
ENGINE = ReplacingMergeTree(ver)
PARTITION BY (signature_version, toYYYYMM(day))
ORDER BY (signature_version, day, crash_id);

CREATE TABLE IF NOT EXISTS aftershock_protected.crash_rows
(
    signature_version UInt32,
    day Date,
    crash_id String,
    received_at DateTime64(3, 'UTC'),
    revision UInt64,
    ver UInt128,
    address Nullable(String),
    process_id Nullable(Int64),
    annotations Map(LowCardinality(String), String) CODEC(ZSTD(3)),
    crashpad_annotations Nested(module LowCardinality(String), name LowCardinality(String), value String),
    -- Every thread; stack lists module!function of its frames, innermost first.
    threads Nested
    (
        thread_id Int64,
        name String,
        end LowCardinality(String),
        frame_count Int32,
        stack Array(LowCardinality(String))
    ),
    modules Nested(path String, base String, size Int64),
    unloaded_modules Nested(path String, base String, size Int64, code_id String),
    dumps Nested(name LowCardinality(String), size Int64, sha256 String),
    raw_topic LowCardinality(String),
    raw_partition Int32,
    raw_offset Int64,
    processed_topic LowCardinality(String),
    processed_partition Int32,
    processed_offset Int64
)
ENGINE = ReplacingMergeTree(ver)
PARTITION BY (signature_version, toYYYYMM(day))
ORDER BY (signature_version, day, crash_id);
