-- Rows by day. Of a day that is over one part is left, and FINAL costs nothing there: it does
-- not look across partitions, and a crash is always in the same one. The partition is made of
-- the crash id's last six digits as well, so that a condition on crash_id alone chooses it.
-- What is compared is small: the id is a UUID, the signature has a number, digests are bytes,
-- and functions are words.
--
-- The tables change as no older release knows them: its sinks fail and commit nothing. Rows
-- of before are copied a month at a time, and a month that is copied goes. Each step can be
-- repeated, and be done by several processes at once: the tables of before stay, empty, so
-- that nobody who comes late can move new ones away.
-- when SELECT count() FROM system.columns WHERE database = 'aftershock' AND table = 'crash_rows' AND name = 'crash_id' AND type = 'String'
DROP VIEW IF EXISTS aftershock.signatures_of_crash_rows;

-- when SELECT count() FROM system.columns WHERE database = 'aftershock' AND table = 'crash_rows' AND name = 'crash_id' AND type = 'String'
RENAME TABLE aftershock.crash_rows TO aftershock.crash_rows_by_month;

-- when SELECT count() FROM system.columns WHERE database = 'aftershock' AND table = 'ping_rows' AND name = 'crash_id' AND type = 'String'
DROP VIEW IF EXISTS aftershock.signatures_of_ping_rows;

-- when SELECT count() FROM system.columns WHERE database = 'aftershock' AND table = 'ping_rows' AND name = 'crash_id' AND type = 'String'
RENAME TABLE aftershock.ping_rows TO aftershock.ping_rows_by_month;

-- when SELECT count() FROM system.columns WHERE database = 'aftershock_protected' AND table = 'crash_rows' AND name = 'crash_id' AND type = 'String'
RENAME TABLE aftershock_protected.crash_rows TO aftershock_protected.crash_rows_by_month;

-- when SELECT count() FROM system.columns WHERE database = 'aftershock_protected' AND table = 'ping_rows' AND name = 'crash_id' AND type = 'String'
RENAME TABLE aftershock_protected.ping_rows TO aftershock_protected.ping_rows_by_month;

CREATE TABLE IF NOT EXISTS aftershock.crash_rows
(
    `signature_version` UInt32,
    `day` Date,
    `crash_id` UUID CODEC(NONE),
    `received_at` DateTime64(3, 'UTC') CODEC(ZSTD(1)),
    `revision` UInt64 CODEC(ZSTD(1)),
    `ver` UInt128 CODEC(ZSTD(1)),
    `signature` LowCardinality(String),
    -- Grouping by it takes a fifth of what grouping by the signature takes.
    `signature_id` UInt64 DEFAULT sipHash64(CAST(signature, 'String')) CODEC(NONE),
    -- What proto_signature joins.
    `proto_functions` Array(LowCardinality(String)) CODEC(ZSTD(1)),
    `signature_notes` Array(LowCardinality(String)) CODEC(ZSTD(1)),
    `dump_status` LowCardinality(String),
    `product` LowCardinality(String),
    `version` LowCardinality(String),
    `channel` LowCardinality(String),
    `build_id` LowCardinality(String),
    `process_type` LowCardinality(String),
    `os` LowCardinality(String),
    `os_version` LowCardinality(String),
    `cpu_arch` LowCardinality(String),
    `cpu_info` LowCardinality(String),
    `cpu_count` UInt32 CODEC(ZSTD(1)),
    `reason` LowCardinality(String),
    `uptime_seconds` Nullable(Int64) CODEC(ZSTD(1)),
    `crashing_thread` Nullable(Int32) CODEC(ZSTD(1)),
    `thread_count` UInt32 CODEC(ZSTD(1)),
    `stack.frame` Array(UInt32) CODEC(ZSTD(1)),
    `stack.inlined` Array(UInt8) CODEC(ZSTD(1)),
    `stack.trust` Array(LowCardinality(String)) CODEC(ZSTD(1)),
    `stack.module` Array(LowCardinality(String)) CODEC(ZSTD(1)),
    `stack.module_offset` Array(String) CODEC(ZSTD(1)),
    `stack.function` Array(LowCardinality(String)) CODEC(ZSTD(1)),
    `stack.file` Array(LowCardinality(String)) CODEC(ZSTD(1)),
    `stack.line` Array(UInt32) CODEC(ZSTD(1)),
    `modules.filename` Array(LowCardinality(String)) CODEC(ZSTD(1)),
    `modules.version` Array(LowCardinality(String)) CODEC(ZSTD(1)),
    `modules.code_id` Array(LowCardinality(String)) CODEC(ZSTD(1)),
    `modules.debug_file` Array(LowCardinality(String)) CODEC(ZSTD(1)),
    `modules.debug_id` Array(LowCardinality(String)) CODEC(ZSTD(1)),
    `modules.symbols` Array(LowCardinality(String)) CODEC(ZSTD(1)),
    `modules.symbols_sha256` Array(LowCardinality(String)) CODEC(ZSTD(1)),
    `annotations` Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    `memory_map_count` Nullable(Int64) CODEC(ZSTD(1)),
    `throttle_rule` LowCardinality(String),
    `throttle_rate` Float64 CODEC(ZSTD(1)),
    `notes.code` Array(LowCardinality(String)) CODEC(ZSTD(1)),
    `notes.stage` Array(LowCardinality(String)) CODEC(ZSTD(1)),
    `notes.index` Array(Int32) CODEC(ZSTD(1)),
    `content_hash` FixedString(32) CODEC(NONE),
    `raw_topic` LowCardinality(String),
    `raw_partition` Int32 CODEC(ZSTD(1)),
    `raw_offset` Int64 CODEC(ZSTD(1)),
    `processed_topic` LowCardinality(String),
    `processed_partition` Int32 CODEC(ZSTD(1)),
    `processed_offset` Int64 CODEC(ZSTD(1)),
    `report_type` LowCardinality(Nullable(String)),
    `display_version` LowCardinality(Nullable(String)),
    `major_version` Nullable(Int32) CODEC(ZSTD(1)),
    `crash_time` Nullable(DateTime('UTC')) CODEC(ZSTD(1)),
    `startup_time` Nullable(DateTime('UTC')) CODEC(ZSTD(1)),
    `install_time` Nullable(DateTime('UTC')) CODEC(ZSTD(1)),
    `uptime` Nullable(Int64) CODEC(ZSTD(1)),
    `install_age` Nullable(Int64) CODEC(ZSTD(1)),
    `seconds_since_last_crash` Nullable(Int64) CODEC(ZSTD(1)),
    `startup_crash` Nullable(Bool) CODEC(ZSTD(1)),
    `os_pretty_version` LowCardinality(Nullable(String)),
    `os_build` LowCardinality(Nullable(String)),
    `android_api_level` Nullable(Int32) CODEC(ZSTD(1)),
    `cpu_microcode` LowCardinality(Nullable(String)),
    `crashing_thread_name` LowCardinality(Nullable(String)),
    `last_error` LowCardinality(Nullable(String)),
    `address_kind` LowCardinality(Nullable(String)),
    `null_offset` Nullable(Int64) CODEC(ZSTD(1)),
    `memory_access` LowCardinality(Nullable(String)),
    `crash_inconsistencies` Array(LowCardinality(String)) CODEC(ZSTD(1)),
    `bit_flip_percent` Nullable(Int32) CODEC(ZSTD(1)),
    `moz_crash_reason` LowCardinality(Nullable(String)),
    `abort_message` LowCardinality(Nullable(String)),
    `assertion` LowCardinality(Nullable(String)),
    `java_exception_class` LowCardinality(Nullable(String)),
    `java_stack` Array(LowCardinality(String)) CODEC(ZSTD(1)),
    `has_mac_boot_args` Nullable(Bool) CODEC(ZSTD(1)),
    `main_module` LowCardinality(Nullable(String)),
    `topmost_file` LowCardinality(Nullable(String)),
    `modules_in_stack` Array(LowCardinality(String)) CODEC(ZSTD(1)),
    `missing_symbols` Array(LowCardinality(String)) CODEC(ZSTD(1)),
    `unloaded_modules` Array(LowCardinality(String)) CODEC(ZSTD(1)),
    `unloaded_module_count` Nullable(Int32) CODEC(ZSTD(1)),
    `additional_dump_count` Nullable(Int32) CODEC(ZSTD(1)),
    `gpu_vendor` LowCardinality(Nullable(String)),
    `gpu_device` LowCardinality(Nullable(String)),
    `addon_count` Nullable(Int32) CODEC(ZSTD(1)),
    `addons_checked` Nullable(Bool) CODEC(ZSTD(1)),
    `utility_actors` Array(LowCardinality(String)) CODEC(ZSTD(1)),
    `async_shutdown_phase` LowCardinality(Nullable(String)),
    `async_shutdown_blockers` Array(LowCardinality(String)) CODEC(ZSTD(1)),
    `distribution_id` LowCardinality(Nullable(String)),
    `accessibility` Nullable(Bool) CODEC(ZSTD(1)),
    `submitted_from` LowCardinality(Nullable(String)),
    `memory_explicit` Nullable(Int64) CODEC(ZSTD(1)),
    `memory_gfx_textures` Nullable(Int64) CODEC(ZSTD(1)),
    `memory_ghost_windows` Nullable(Int64) CODEC(ZSTD(1)),
    `memory_heap_allocated` Nullable(Int64) CODEC(ZSTD(1)),
    `memory_heap_overhead` Nullable(Int64) CODEC(ZSTD(1)),
    `memory_heap_unclassified` Nullable(Int64) CODEC(ZSTD(1)),
    `memory_host_object_urls` Nullable(Int64) CODEC(ZSTD(1)),
    `memory_images` Nullable(Int64) CODEC(ZSTD(1)),
    `memory_js_main_runtime` Nullable(Int64) CODEC(ZSTD(1)),
    `memory_private` Nullable(Int64) CODEC(ZSTD(1)),
    `memory_resident` Nullable(Int64) CODEC(ZSTD(1)),
    `memory_resident_unique` Nullable(Int64) CODEC(ZSTD(1)),
    `memory_system_heap_allocated` Nullable(Int64) CODEC(ZSTD(1)),
    `memory_top_none_detached` Nullable(Int64) CODEC(ZSTD(1)),
    `memory_vsize` Nullable(Int64) CODEC(ZSTD(1)),
    `memory_vsize_max_contiguous` Nullable(Int64) CODEC(ZSTD(1)),
    `vendor` LowCardinality(Nullable(String)),
    `product_id` LowCardinality(Nullable(String)),
    `uptime_precise` Nullable(Float64) CODEC(ZSTD(1)),
    `safe_mode` Nullable(Bool) CODEC(ZSTD(1)),
    `oom_allocation_size` Nullable(Int64) CODEC(ZSTD(1)),
    `js_large_allocation_failure` LowCardinality(Nullable(String)),
    `ipc_message_name` LowCardinality(Nullable(String)),
    `total_physical_memory` Nullable(Int64) CODEC(ZSTD(1)),
    `available_physical_memory` Nullable(Int64) CODEC(ZSTD(1)),
    `total_virtual_memory` Nullable(Int64) CODEC(ZSTD(1)),
    `available_virtual_memory` Nullable(Int64) CODEC(ZSTD(1)),
    `system_memory_use_percentage` Nullable(Int64) CODEC(ZSTD(1)),
    `locale` LowCardinality(Nullable(String)),
    `adapter_vendor_id` LowCardinality(Nullable(String)),
    `adapter_device_id` LowCardinality(Nullable(String)),
    `adapter_subsys_id` LowCardinality(Nullable(String)),
    `adapter_driver_version` LowCardinality(Nullable(String)),
    `gpu_process_status` LowCardinality(Nullable(String)),
    `gpu_process_launch_count` Nullable(Int64) CODEC(ZSTD(1)),
    `graphics_startup_test` Nullable(Bool) CODEC(ZSTD(1)),
    `has_touch_screen` Nullable(Bool) CODEC(ZSTD(1)),
    `android_manufacturer` LowCardinality(Nullable(String)),
    `android_brand` LowCardinality(Nullable(String)),
    `android_model` LowCardinality(Nullable(String)),
    `android_board` LowCardinality(Nullable(String)),
    `android_device` LowCardinality(Nullable(String)),
    `android_hardware` LowCardinality(Nullable(String)),
    `android_cpu_abi` LowCardinality(Nullable(String)),
    `android_cpu_abi2` LowCardinality(Nullable(String)),
    `android_version` LowCardinality(Nullable(String)),
    `total_page_file` Nullable(Int64) CODEC(ZSTD(1)),
    `available_page_file` Nullable(Int64) CODEC(ZSTD(1)),
    `available_swap_memory` Nullable(Int64) CODEC(ZSTD(1)),
    `low_physical_memory_events` Nullable(Int64) CODEC(ZSTD(1)),
    `linux_under_memory_pressure` Nullable(Bool) CODEC(ZSTD(1)),
    `contains_memory_report` Nullable(Bool) CODEC(ZSTD(1)),
    `js_out_of_memory` LowCardinality(Nullable(String)),
    `is_garbage_collecting` Nullable(Bool) CODEC(ZSTD(1)),
    `ipc_channel_error` LowCardinality(Nullable(String)),
    `ipc_system_error` Nullable(Int64) CODEC(ZSTD(1)),
    `shutdown_progress` LowCardinality(Nullable(String)),
    `shutdown_reason` LowCardinality(Nullable(String)),
    `main_thread_runnable` LowCardinality(Nullable(String)),
    `plugin_version` LowCardinality(Nullable(String)),
    `gmp_plugin` Nullable(Bool) CODEC(ZSTD(1)),
    `dom_ipc_enabled` Nullable(Bool) CODEC(ZSTD(1)),
    `dom_fission_enabled` Nullable(Bool) CODEC(ZSTD(1)),
    `last_interaction_duration` Nullable(Int64) CODEC(ZSTD(1)),
    `marionette` Nullable(Bool) CODEC(ZSTD(1)),
    `remote_agent` Nullable(Bool) CODEC(ZSTD(1)),
    `headless_mode` Nullable(Bool) CODEC(ZSTD(1)),
    `background_task_mode` Nullable(Bool) CODEC(ZSTD(1)),
    `windows_error_reporting` Nullable(Bool) CODEC(ZSTD(1)),
    `application_build_id` LowCardinality(Nullable(String)),
    `bios_manufacturer` LowCardinality(Nullable(String)),
    -- What is rare in a stack is found without reading all stacks.
    INDEX functions `stack.function` TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX modules_of_stack modules_in_stack TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX lacking missing_symbols TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplacingMergeTree(ver)
PARTITION BY (signature_version, day, toUInt32(bitAnd(toUInt128(crash_id), 16777215)))
ORDER BY (signature_version, day, crash_id)
SETTINGS min_age_to_force_merge_seconds = 600, min_age_to_force_merge_on_partition_only = 1, ttl_only_drop_parts = 1;

CREATE TABLE IF NOT EXISTS aftershock.ping_rows AS aftershock.crash_rows
ENGINE = ReplacingMergeTree(ver)
PARTITION BY (signature_version, day, toUInt32(bitAnd(toUInt128(crash_id), 16777215)))
ORDER BY (signature_version, day, crash_id)
SETTINGS min_age_to_force_merge_seconds = 600, min_age_to_force_merge_on_partition_only = 1, ttl_only_drop_parts = 1;

CREATE TABLE IF NOT EXISTS aftershock_protected.crash_rows
(
    `signature_version` UInt32,
    `day` Date,
    `crash_id` UUID CODEC(NONE),
    `received_at` DateTime64(3, 'UTC') CODEC(ZSTD(1)),
    `revision` UInt64 CODEC(ZSTD(1)),
    `ver` UInt128 CODEC(ZSTD(1)),
    `address` Nullable(String) CODEC(ZSTD(1)),
    `process_id` Nullable(Int64) CODEC(ZSTD(1)),
    `annotations` Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    `crashpad_annotations.module` Array(LowCardinality(String)) CODEC(ZSTD(1)),
    `crashpad_annotations.name` Array(LowCardinality(String)) CODEC(ZSTD(1)),
    `crashpad_annotations.value` Array(String) CODEC(ZSTD(1)),
    `threads.thread_id` Array(Int64) CODEC(Delta, ZSTD(1)),
    `threads.name` Array(LowCardinality(String)) CODEC(ZSTD(1)),
    `threads.end` Array(LowCardinality(String)) CODEC(ZSTD(1)),
    `threads.frame_count` Array(Int32) CODEC(ZSTD(1)),
    `threads.stack` Array(Array(LowCardinality(String))) CODEC(ZSTD(1)),
    `modules.path` Array(LowCardinality(String)) CODEC(ZSTD(1)),
    `modules.base` Array(String) CODEC(ZSTD(1)),
    `modules.size` Array(Int64) CODEC(ZSTD(1)),
    `unloaded_modules.path` Array(LowCardinality(String)) CODEC(ZSTD(1)),
    `unloaded_modules.base` Array(String) CODEC(ZSTD(1)),
    `unloaded_modules.size` Array(Int64) CODEC(ZSTD(1)),
    `unloaded_modules.code_id` Array(LowCardinality(String)) CODEC(ZSTD(1)),
    `dumps.name` Array(LowCardinality(String)) CODEC(ZSTD(1)),
    `dumps.size` Array(Int64) CODEC(ZSTD(1)),
    `dumps.sha256` Array(String) CODEC(ZSTD(1)),
    `raw_topic` LowCardinality(String),
    `raw_partition` Int32 CODEC(ZSTD(1)),
    `raw_offset` Int64 CODEC(ZSTD(1)),
    `processed_topic` LowCardinality(String),
    `processed_partition` Int32 CODEC(ZSTD(1)),
    `processed_offset` Int64 CODEC(ZSTD(1)),
    `adjusted_address` Nullable(String) CODEC(ZSTD(1)),
    `instruction` Nullable(String) CODEC(ZSTD(1)),
    `memory_accesses.address` Array(String) CODEC(ZSTD(1)),
    `memory_accesses.size` Array(Int32) CODEC(ZSTD(1)),
    `memory_accesses.type` Array(LowCardinality(String)) CODEC(ZSTD(1)),
    `memory_accesses.guard_page` Array(Bool) CODEC(ZSTD(1)),
    `has_guard_page_access` Nullable(Bool) CODEC(ZSTD(1)),
    `assertion` Nullable(String) CODEC(ZSTD(1)),
    `mac_boot_args` Nullable(String) CODEC(ZSTD(1)),
    `mac_crash_info` Nullable(String) CODEC(ZSTD(1)),
    `linux_release` LowCardinality(Nullable(String)),
    `breadcrumbs.timestamp` Array(String) CODEC(ZSTD(1)),
    `breadcrumbs.type` Array(LowCardinality(String)) CODEC(ZSTD(1)),
    `breadcrumbs.category` Array(LowCardinality(String)) CODEC(ZSTD(1)),
    `breadcrumbs.level` Array(LowCardinality(String)) CODEC(ZSTD(1)),
    `breadcrumbs.message` Array(String) CODEC(ZSTD(1)),
    `breadcrumbs.data` Array(String) CODEC(ZSTD(1)),
    `addons` Array(LowCardinality(String)) CODEC(ZSTD(1)),
    `module_signers.module` Array(LowCardinality(String)) CODEC(ZSTD(1)),
    `module_signers.signer` Array(LowCardinality(String)) CODEC(ZSTD(1)),
    `phc_base_address` Nullable(String) CODEC(ZSTD(1)),
    `soft_errors` Nullable(String) CODEC(ZSTD(1)),
    `additional_dumps.name` Array(LowCardinality(String)) CODEC(ZSTD(1)),
    `additional_dumps.dump_status` Array(LowCardinality(String)) CODEC(ZSTD(1)),
    `additional_dumps.reason` Array(LowCardinality(String)) CODEC(ZSTD(1)),
    `additional_dumps.thread_count` Array(UInt32) CODEC(ZSTD(1)),
    `additional_dumps.stack` Array(Array(LowCardinality(String))) CODEC(ZSTD(1)),
    `url` Nullable(String) CODEC(ZSTD(1)),
    `comments` Nullable(String) CODEC(ZSTD(1)),
    `abort_message` Nullable(String) CODEC(ZSTD(1)),
    `moz_crash_reason` Nullable(String) CODEC(ZSTD(1)),
    `java_stack_trace` Nullable(String) CODEC(ZSTD(1)),
    `java_exception` Nullable(String) CODEC(ZSTD(1)),
    `async_shutdown_timeout` Nullable(String) CODEC(ZSTD(1)),
    `glean_client_id` Nullable(String) CODEC(ZSTD(1)),
    `remote_type` Nullable(String) CODEC(ZSTD(1)),
    `phc_kind` Nullable(String) CODEC(ZSTD(1)),
    `phc_usable_size` Nullable(Int64) CODEC(ZSTD(1)),
    `phc_alloc_stack` Nullable(String) CODEC(ZSTD(1)),
    `phc_free_stack` Nullable(String) CODEC(ZSTD(1)),
    `graphics_critical_error` Nullable(String) CODEC(ZSTD(1)),
    `ipc_shutdown_state` Nullable(String) CODEC(ZSTD(1)),
    `plugin_filename` Nullable(String) CODEC(ZSTD(1)),
    `plugin_name` Nullable(String) CODEC(ZSTD(1)),
    `app_notes` Nullable(String) CODEC(ZSTD(1)),
    -- What is rare in all threads' stacks is found without reading them.
    INDEX frames arrayFlatten(`threads.stack`) TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplacingMergeTree(ver)
PARTITION BY (signature_version, day, toUInt32(bitAnd(toUInt128(crash_id), 16777215)))
ORDER BY (signature_version, day, crash_id)
SETTINGS min_age_to_force_merge_seconds = 600, min_age_to_force_merge_on_partition_only = 1, ttl_only_drop_parts = 1;

CREATE TABLE IF NOT EXISTS aftershock_protected.ping_rows AS aftershock_protected.crash_rows
ENGINE = ReplacingMergeTree(ver)
PARTITION BY (signature_version, day, toUInt32(bitAnd(toUInt128(crash_id), 16777215)))
ORDER BY (signature_version, day, crash_id)
SETTINGS min_age_to_force_merge_seconds = 600, min_age_to_force_merge_on_partition_only = 1, ttl_only_drop_parts = 1;

-- When the crashes of a day were received, or earlier and later: of a day that lies within one
-- range of the activation no row has to be asked. Sinks write it before they write rows.
CREATE TABLE IF NOT EXISTS aftershock.days
(
    signature_version UInt32,
    day Date,
    first SimpleAggregateFunction(min, DateTime64(3, 'UTC')),
    last SimpleAggregateFunction(max, DateTime64(3, 'UTC'))
)
ENGINE = AggregatingMergeTree
PARTITION BY signature_version
ORDER BY (signature_version, day);

-- The signatures of a version's rows, by their number. Sinks write it before they write rows.
CREATE TABLE IF NOT EXISTS aftershock.signature_words
(
    signature_version UInt32,
    signature_id UInt64 DEFAULT sipHash64(signature),
    signature String
)
ENGINE = ReplacingMergeTree
PARTITION BY signature_version
ORDER BY (signature_version, signature_id);

-- Those of versions that are seen; a name may be there several times.
CREATE OR REPLACE VIEW aftershock.signature_names AS
WITH (SELECT argMax(ranges, epoch) FROM aftershock.activation) AS active
SELECT signature_id, signature
FROM aftershock.signature_words
WHERE has(tupleElement(active, 'signature_version'), signature_version);

-- Inserts of an older release that are under way end up in the tables of before: they are
-- waited for.
-- until SELECT count() FROM system.processes WHERE query_kind = 'Insert' AND match(query, 'INSERT INTO aftershock(_protected)?.(crash|ping)_rows ')
SELECT 1;

-- when SELECT count() FROM system.tables WHERE database = 'aftershock' AND name = 'crash_rows_by_month'
INSERT INTO aftershock.days
SELECT signature_version, day, min(received_at), max(received_at)
FROM aftershock.crash_rows_by_month
GROUP BY signature_version, day
SETTINGS max_partitions_per_insert_block = 0;

-- when SELECT count() FROM system.tables WHERE database = 'aftershock' AND name = 'crash_rows_by_month'
INSERT INTO aftershock.signature_words (signature_version, signature)
SELECT DISTINCT signature_version, CAST(signature, 'String')
FROM aftershock.crash_rows_by_month
SETTINGS max_partitions_per_insert_block = 0;

-- when SELECT count() FROM system.tables WHERE database = 'aftershock' AND name = 'crash_rows_by_month'
INSERT INTO aftershock.signatures
SELECT signature_version, day, toUUID(crash_id), revision, ver, received_at, signature, sipHash64(`modules.symbols_sha256`)
FROM aftershock.crash_rows_by_month
SETTINGS max_partitions_per_insert_block = 0;

-- when SELECT count() FROM system.tables WHERE database = 'aftershock' AND name = 'ping_rows_by_month'
INSERT INTO aftershock.days
SELECT signature_version, day, min(received_at), max(received_at)
FROM aftershock.ping_rows_by_month
GROUP BY signature_version, day
SETTINGS max_partitions_per_insert_block = 0;

-- when SELECT count() FROM system.tables WHERE database = 'aftershock' AND name = 'ping_rows_by_month'
INSERT INTO aftershock.signature_words (signature_version, signature)
SELECT DISTINCT signature_version, CAST(signature, 'String')
FROM aftershock.ping_rows_by_month
SETTINGS max_partitions_per_insert_block = 0;

-- when SELECT count() FROM system.tables WHERE database = 'aftershock' AND name = 'ping_rows_by_month'
INSERT INTO aftershock.ping_signatures
SELECT signature_version, day, toUUID(crash_id), revision, ver, received_at, signature, sipHash64(`modules.symbols_sha256`)
FROM aftershock.ping_rows_by_month
SETTINGS max_partitions_per_insert_block = 0;

-- each SELECT DISTINCT partition_id FROM system.parts WHERE active AND database = 'aftershock' AND table = 'crash_rows_by_month' ORDER BY partition_id
INSERT INTO aftershock.crash_rows
(
    signature_version, day, crash_id, received_at, revision, ver, signature, proto_functions, signature_notes, dump_status, product, version,
    channel, build_id, process_type, os, os_version, cpu_arch, cpu_info, cpu_count, reason, uptime_seconds, crashing_thread, thread_count,
    `stack.frame`, `stack.inlined`, `stack.trust`, `stack.module`, `stack.module_offset`, `stack.function`, `stack.file`, `stack.line`,
    `modules.filename`, `modules.version`, `modules.code_id`, `modules.debug_file`, `modules.debug_id`, `modules.symbols`,
    `modules.symbols_sha256`, annotations, memory_map_count, throttle_rule, throttle_rate, `notes.code`, `notes.stage`, `notes.index`,
    content_hash, raw_topic, raw_partition, raw_offset, processed_topic, processed_partition, processed_offset, report_type, display_version,
    major_version, crash_time, startup_time, install_time, uptime, install_age, seconds_since_last_crash, startup_crash, os_pretty_version,
    os_build, android_api_level, cpu_microcode, crashing_thread_name, last_error, address_kind, null_offset, memory_access,
    crash_inconsistencies, bit_flip_percent, moz_crash_reason, abort_message, assertion, java_exception_class, java_stack, has_mac_boot_args,
    main_module, topmost_file, modules_in_stack, missing_symbols, unloaded_modules, unloaded_module_count, additional_dump_count, gpu_vendor,
    gpu_device, addon_count, addons_checked, utility_actors, async_shutdown_phase, async_shutdown_blockers, distribution_id, accessibility,
    submitted_from, memory_explicit, memory_gfx_textures, memory_ghost_windows, memory_heap_allocated, memory_heap_overhead,
    memory_heap_unclassified, memory_host_object_urls, memory_images, memory_js_main_runtime, memory_private, memory_resident,
    memory_resident_unique, memory_system_heap_allocated, memory_top_none_detached, memory_vsize, memory_vsize_max_contiguous, vendor,
    product_id, uptime_precise, safe_mode, oom_allocation_size, js_large_allocation_failure, ipc_message_name, total_physical_memory,
    available_physical_memory, total_virtual_memory, available_virtual_memory, system_memory_use_percentage, locale, adapter_vendor_id,
    adapter_device_id, adapter_subsys_id, adapter_driver_version, gpu_process_status, gpu_process_launch_count, graphics_startup_test,
    has_touch_screen, android_manufacturer, android_brand, android_model, android_board, android_device, android_hardware, android_cpu_abi,
    android_cpu_abi2, android_version, total_page_file, available_page_file, available_swap_memory, low_physical_memory_events,
    linux_under_memory_pressure, contains_memory_report, js_out_of_memory, is_garbage_collecting, ipc_channel_error, ipc_system_error,
    shutdown_progress, shutdown_reason, main_thread_runnable, plugin_version, gmp_plugin, dom_ipc_enabled, dom_fission_enabled,
    last_interaction_duration, marionette, remote_agent, headless_mode, background_task_mode, windows_error_reporting, application_build_id,
    bios_manufacturer
)
SELECT
    signature_version, day, toUUID(crash_id), received_at, revision, ver, signature,
    if(proto_signature = '', [], splitByString(' | ', proto_signature)), signature_notes, dump_status, product, version, channel, build_id,
    process_type, os, os_version, cpu_arch, cpu_info, cpu_count, reason, uptime_seconds, crashing_thread, thread_count, `stack.frame`,
    `stack.inlined`, `stack.trust`, `stack.module`, `stack.module_offset`, `stack.function`, `stack.file`, `stack.line`, `modules.filename`,
    `modules.version`, `modules.code_id`, `modules.debug_file`, `modules.debug_id`, `modules.symbols`, `modules.symbols_sha256`, annotations,
    memory_map_count, throttle_rule, throttle_rate, `notes.code`, `notes.stage`, `notes.index`, unhex(content_hash), raw_topic, raw_partition,
    raw_offset, processed_topic, processed_partition, processed_offset, report_type, display_version, major_version, crash_time, startup_time,
    install_time, uptime, install_age, seconds_since_last_crash, startup_crash, os_pretty_version, os_build, android_api_level, cpu_microcode,
    crashing_thread_name, last_error, address_kind, null_offset, memory_access, crash_inconsistencies, bit_flip_percent, moz_crash_reason,
    abort_message, assertion, java_exception_class, java_stack, has_mac_boot_args, main_module, topmost_file, modules_in_stack,
    missing_symbols, unloaded_modules, unloaded_module_count, additional_dump_count, gpu_vendor, gpu_device, addon_count, addons_checked,
    utility_actors, async_shutdown_phase, async_shutdown_blockers, distribution_id, accessibility, submitted_from, memory_explicit,
    memory_gfx_textures, memory_ghost_windows, memory_heap_allocated, memory_heap_overhead, memory_heap_unclassified, memory_host_object_urls,
    memory_images, memory_js_main_runtime, memory_private, memory_resident, memory_resident_unique, memory_system_heap_allocated,
    memory_top_none_detached, memory_vsize, memory_vsize_max_contiguous, vendor, product_id, uptime_precise, safe_mode, oom_allocation_size,
    js_large_allocation_failure, ipc_message_name, total_physical_memory, available_physical_memory, total_virtual_memory,
    available_virtual_memory, system_memory_use_percentage, locale, adapter_vendor_id, adapter_device_id, adapter_subsys_id,
    adapter_driver_version, gpu_process_status, gpu_process_launch_count, graphics_startup_test, has_touch_screen, android_manufacturer,
    android_brand, android_model, android_board, android_device, android_hardware, android_cpu_abi, android_cpu_abi2, android_version,
    total_page_file, available_page_file, available_swap_memory, low_physical_memory_events, linux_under_memory_pressure,
    contains_memory_report, js_out_of_memory, is_garbage_collecting, ipc_channel_error, ipc_system_error, shutdown_progress, shutdown_reason,
    main_thread_runnable, plugin_version, gmp_plugin, dom_ipc_enabled, dom_fission_enabled, last_interaction_duration, marionette,
    remote_agent, headless_mode, background_task_mode, windows_error_reporting, application_build_id, bios_manufacturer
FROM aftershock.crash_rows_by_month
WHERE _partition_id = '$each'
SETTINGS max_partitions_per_insert_block = 0
-- then
ALTER TABLE aftershock.crash_rows_by_month DROP PARTITION ID '$each' SETTINGS max_partition_size_to_drop = 0;

-- each SELECT DISTINCT partition_id FROM system.parts WHERE active AND database = 'aftershock' AND table = 'ping_rows_by_month' ORDER BY partition_id
INSERT INTO aftershock.ping_rows
(
    signature_version, day, crash_id, received_at, revision, ver, signature, proto_functions, signature_notes, dump_status, product, version,
    channel, build_id, process_type, os, os_version, cpu_arch, cpu_info, cpu_count, reason, uptime_seconds, crashing_thread, thread_count,
    `stack.frame`, `stack.inlined`, `stack.trust`, `stack.module`, `stack.module_offset`, `stack.function`, `stack.file`, `stack.line`,
    `modules.filename`, `modules.version`, `modules.code_id`, `modules.debug_file`, `modules.debug_id`, `modules.symbols`,
    `modules.symbols_sha256`, annotations, memory_map_count, throttle_rule, throttle_rate, `notes.code`, `notes.stage`, `notes.index`,
    content_hash, raw_topic, raw_partition, raw_offset, processed_topic, processed_partition, processed_offset, report_type, display_version,
    major_version, crash_time, startup_time, install_time, uptime, install_age, seconds_since_last_crash, startup_crash, os_pretty_version,
    os_build, android_api_level, cpu_microcode, crashing_thread_name, last_error, address_kind, null_offset, memory_access,
    crash_inconsistencies, bit_flip_percent, moz_crash_reason, abort_message, assertion, java_exception_class, java_stack, has_mac_boot_args,
    main_module, topmost_file, modules_in_stack, missing_symbols, unloaded_modules, unloaded_module_count, additional_dump_count, gpu_vendor,
    gpu_device, addon_count, addons_checked, utility_actors, async_shutdown_phase, async_shutdown_blockers, distribution_id, accessibility,
    submitted_from, memory_explicit, memory_gfx_textures, memory_ghost_windows, memory_heap_allocated, memory_heap_overhead,
    memory_heap_unclassified, memory_host_object_urls, memory_images, memory_js_main_runtime, memory_private, memory_resident,
    memory_resident_unique, memory_system_heap_allocated, memory_top_none_detached, memory_vsize, memory_vsize_max_contiguous, vendor,
    product_id, uptime_precise, safe_mode, oom_allocation_size, js_large_allocation_failure, ipc_message_name, total_physical_memory,
    available_physical_memory, total_virtual_memory, available_virtual_memory, system_memory_use_percentage, locale, adapter_vendor_id,
    adapter_device_id, adapter_subsys_id, adapter_driver_version, gpu_process_status, gpu_process_launch_count, graphics_startup_test,
    has_touch_screen, android_manufacturer, android_brand, android_model, android_board, android_device, android_hardware, android_cpu_abi,
    android_cpu_abi2, android_version, total_page_file, available_page_file, available_swap_memory, low_physical_memory_events,
    linux_under_memory_pressure, contains_memory_report, js_out_of_memory, is_garbage_collecting, ipc_channel_error, ipc_system_error,
    shutdown_progress, shutdown_reason, main_thread_runnable, plugin_version, gmp_plugin, dom_ipc_enabled, dom_fission_enabled,
    last_interaction_duration, marionette, remote_agent, headless_mode, background_task_mode, windows_error_reporting, application_build_id,
    bios_manufacturer
)
SELECT
    signature_version, day, toUUID(crash_id), received_at, revision, ver, signature,
    if(proto_signature = '', [], splitByString(' | ', proto_signature)), signature_notes, dump_status, product, version, channel, build_id,
    process_type, os, os_version, cpu_arch, cpu_info, cpu_count, reason, uptime_seconds, crashing_thread, thread_count, `stack.frame`,
    `stack.inlined`, `stack.trust`, `stack.module`, `stack.module_offset`, `stack.function`, `stack.file`, `stack.line`, `modules.filename`,
    `modules.version`, `modules.code_id`, `modules.debug_file`, `modules.debug_id`, `modules.symbols`, `modules.symbols_sha256`, annotations,
    memory_map_count, throttle_rule, throttle_rate, `notes.code`, `notes.stage`, `notes.index`, unhex(content_hash), raw_topic, raw_partition,
    raw_offset, processed_topic, processed_partition, processed_offset, report_type, display_version, major_version, crash_time, startup_time,
    install_time, uptime, install_age, seconds_since_last_crash, startup_crash, os_pretty_version, os_build, android_api_level, cpu_microcode,
    crashing_thread_name, last_error, address_kind, null_offset, memory_access, crash_inconsistencies, bit_flip_percent, moz_crash_reason,
    abort_message, assertion, java_exception_class, java_stack, has_mac_boot_args, main_module, topmost_file, modules_in_stack,
    missing_symbols, unloaded_modules, unloaded_module_count, additional_dump_count, gpu_vendor, gpu_device, addon_count, addons_checked,
    utility_actors, async_shutdown_phase, async_shutdown_blockers, distribution_id, accessibility, submitted_from, memory_explicit,
    memory_gfx_textures, memory_ghost_windows, memory_heap_allocated, memory_heap_overhead, memory_heap_unclassified, memory_host_object_urls,
    memory_images, memory_js_main_runtime, memory_private, memory_resident, memory_resident_unique, memory_system_heap_allocated,
    memory_top_none_detached, memory_vsize, memory_vsize_max_contiguous, vendor, product_id, uptime_precise, safe_mode, oom_allocation_size,
    js_large_allocation_failure, ipc_message_name, total_physical_memory, available_physical_memory, total_virtual_memory,
    available_virtual_memory, system_memory_use_percentage, locale, adapter_vendor_id, adapter_device_id, adapter_subsys_id,
    adapter_driver_version, gpu_process_status, gpu_process_launch_count, graphics_startup_test, has_touch_screen, android_manufacturer,
    android_brand, android_model, android_board, android_device, android_hardware, android_cpu_abi, android_cpu_abi2, android_version,
    total_page_file, available_page_file, available_swap_memory, low_physical_memory_events, linux_under_memory_pressure,
    contains_memory_report, js_out_of_memory, is_garbage_collecting, ipc_channel_error, ipc_system_error, shutdown_progress, shutdown_reason,
    main_thread_runnable, plugin_version, gmp_plugin, dom_ipc_enabled, dom_fission_enabled, last_interaction_duration, marionette,
    remote_agent, headless_mode, background_task_mode, windows_error_reporting, application_build_id, bios_manufacturer
FROM aftershock.ping_rows_by_month
WHERE _partition_id = '$each'
SETTINGS max_partitions_per_insert_block = 0
-- then
ALTER TABLE aftershock.ping_rows_by_month DROP PARTITION ID '$each' SETTINGS max_partition_size_to_drop = 0;

-- each SELECT DISTINCT partition_id FROM system.parts WHERE active AND database = 'aftershock_protected' AND table = 'crash_rows_by_month' ORDER BY partition_id
INSERT INTO aftershock_protected.crash_rows
(
    signature_version, day, crash_id, received_at, revision, ver, address, process_id, annotations, `crashpad_annotations.module`,
    `crashpad_annotations.name`, `crashpad_annotations.value`, `threads.thread_id`, `threads.name`, `threads.end`, `threads.frame_count`,
    `threads.stack`, `modules.path`, `modules.base`, `modules.size`, `unloaded_modules.path`, `unloaded_modules.base`,
    `unloaded_modules.size`, `unloaded_modules.code_id`, `dumps.name`, `dumps.size`, `dumps.sha256`, raw_topic, raw_partition, raw_offset,
    processed_topic, processed_partition, processed_offset, adjusted_address, instruction, `memory_accesses.address`, `memory_accesses.size`,
    `memory_accesses.type`, `memory_accesses.guard_page`, has_guard_page_access, assertion, mac_boot_args, mac_crash_info, linux_release,
    `breadcrumbs.timestamp`, `breadcrumbs.type`, `breadcrumbs.category`, `breadcrumbs.level`, `breadcrumbs.message`, `breadcrumbs.data`,
    addons, `module_signers.module`, `module_signers.signer`, phc_base_address, soft_errors, `additional_dumps.name`,
    `additional_dumps.dump_status`, `additional_dumps.reason`, `additional_dumps.thread_count`, `additional_dumps.stack`, url, comments,
    abort_message, moz_crash_reason, java_stack_trace, java_exception, async_shutdown_timeout, glean_client_id, remote_type, phc_kind,
    phc_usable_size, phc_alloc_stack, phc_free_stack, graphics_critical_error, ipc_shutdown_state, plugin_filename, plugin_name, app_notes
)
SELECT
    signature_version, day, toUUID(crash_id), received_at, revision, ver, address, process_id, annotations, `crashpad_annotations.module`,
    `crashpad_annotations.name`, `crashpad_annotations.value`, `threads.thread_id`, `threads.name`, `threads.end`, `threads.frame_count`,
    `threads.stack`, `modules.path`, `modules.base`, `modules.size`, `unloaded_modules.path`, `unloaded_modules.base`,
    `unloaded_modules.size`, `unloaded_modules.code_id`, `dumps.name`, `dumps.size`, `dumps.sha256`, raw_topic, raw_partition, raw_offset,
    processed_topic, processed_partition, processed_offset, adjusted_address, instruction, `memory_accesses.address`, `memory_accesses.size`,
    `memory_accesses.type`, `memory_accesses.guard_page`, has_guard_page_access, assertion, mac_boot_args, mac_crash_info, linux_release,
    `breadcrumbs.timestamp`, `breadcrumbs.type`, `breadcrumbs.category`, `breadcrumbs.level`, `breadcrumbs.message`, `breadcrumbs.data`,
    addons, `module_signers.module`, `module_signers.signer`, phc_base_address, soft_errors, `additional_dumps.name`,
    `additional_dumps.dump_status`, `additional_dumps.reason`, `additional_dumps.thread_count`, `additional_dumps.stack`, url, comments,
    abort_message, moz_crash_reason, java_stack_trace, java_exception, async_shutdown_timeout, glean_client_id, remote_type, phc_kind,
    phc_usable_size, phc_alloc_stack, phc_free_stack, graphics_critical_error, ipc_shutdown_state, plugin_filename, plugin_name, app_notes
FROM aftershock_protected.crash_rows_by_month
WHERE _partition_id = '$each'
SETTINGS max_partitions_per_insert_block = 0
-- then
ALTER TABLE aftershock_protected.crash_rows_by_month DROP PARTITION ID '$each' SETTINGS max_partition_size_to_drop = 0;

-- each SELECT DISTINCT partition_id FROM system.parts WHERE active AND database = 'aftershock_protected' AND table = 'ping_rows_by_month' ORDER BY partition_id
INSERT INTO aftershock_protected.ping_rows
(
    signature_version, day, crash_id, received_at, revision, ver, address, process_id, annotations, `crashpad_annotations.module`,
    `crashpad_annotations.name`, `crashpad_annotations.value`, `threads.thread_id`, `threads.name`, `threads.end`, `threads.frame_count`,
    `threads.stack`, `modules.path`, `modules.base`, `modules.size`, `unloaded_modules.path`, `unloaded_modules.base`,
    `unloaded_modules.size`, `unloaded_modules.code_id`, `dumps.name`, `dumps.size`, `dumps.sha256`, raw_topic, raw_partition, raw_offset,
    processed_topic, processed_partition, processed_offset, adjusted_address, instruction, `memory_accesses.address`, `memory_accesses.size`,
    `memory_accesses.type`, `memory_accesses.guard_page`, has_guard_page_access, assertion, mac_boot_args, mac_crash_info, linux_release,
    `breadcrumbs.timestamp`, `breadcrumbs.type`, `breadcrumbs.category`, `breadcrumbs.level`, `breadcrumbs.message`, `breadcrumbs.data`,
    addons, `module_signers.module`, `module_signers.signer`, phc_base_address, soft_errors, `additional_dumps.name`,
    `additional_dumps.dump_status`, `additional_dumps.reason`, `additional_dumps.thread_count`, `additional_dumps.stack`, url, comments,
    abort_message, moz_crash_reason, java_stack_trace, java_exception, async_shutdown_timeout, glean_client_id, remote_type, phc_kind,
    phc_usable_size, phc_alloc_stack, phc_free_stack, graphics_critical_error, ipc_shutdown_state, plugin_filename, plugin_name, app_notes
)
SELECT
    signature_version, day, toUUID(crash_id), received_at, revision, ver, address, process_id, annotations, `crashpad_annotations.module`,
    `crashpad_annotations.name`, `crashpad_annotations.value`, `threads.thread_id`, `threads.name`, `threads.end`, `threads.frame_count`,
    `threads.stack`, `modules.path`, `modules.base`, `modules.size`, `unloaded_modules.path`, `unloaded_modules.base`,
    `unloaded_modules.size`, `unloaded_modules.code_id`, `dumps.name`, `dumps.size`, `dumps.sha256`, raw_topic, raw_partition, raw_offset,
    processed_topic, processed_partition, processed_offset, adjusted_address, instruction, `memory_accesses.address`, `memory_accesses.size`,
    `memory_accesses.type`, `memory_accesses.guard_page`, has_guard_page_access, assertion, mac_boot_args, mac_crash_info, linux_release,
    `breadcrumbs.timestamp`, `breadcrumbs.type`, `breadcrumbs.category`, `breadcrumbs.level`, `breadcrumbs.message`, `breadcrumbs.data`,
    addons, `module_signers.module`, `module_signers.signer`, phc_base_address, soft_errors, `additional_dumps.name`,
    `additional_dumps.dump_status`, `additional_dumps.reason`, `additional_dumps.thread_count`, `additional_dumps.stack`, url, comments,
    abort_message, moz_crash_reason, java_stack_trace, java_exception, async_shutdown_timeout, glean_client_id, remote_type, phc_kind,
    phc_usable_size, phc_alloc_stack, phc_free_stack, graphics_critical_error, ipc_shutdown_state, plugin_filename, plugin_name, app_notes
FROM aftershock_protected.ping_rows_by_month
WHERE _partition_id = '$each'
SETTINGS max_partitions_per_insert_block = 0
-- then
ALTER TABLE aftershock_protected.ping_rows_by_month DROP PARTITION ID '$each' SETTINGS max_partition_size_to_drop = 0;

CREATE MATERIALIZED VIEW IF NOT EXISTS aftershock.signatures_of_crash_rows TO aftershock.signatures AS
SELECT signature_version, day, crash_id AS crash, revision, ver, received_at, signature, sipHash64(`modules.symbols_sha256`) AS symbols
FROM aftershock.crash_rows;

CREATE MATERIALIZED VIEW IF NOT EXISTS aftershock.signatures_of_ping_rows TO aftershock.ping_signatures AS
SELECT signature_version, day, crash_id AS crash, revision, ver, received_at, signature, sipHash64(`modules.symbols_sha256`) AS symbols
FROM aftershock.ping_rows;

-- What analysts ask. The first part are the days that lie within one range of the activation:
-- their partitions are chosen, and no row is asked. The second are all other days of active
-- versions, where each row is.
--
-- Of one table a query's scalars are newer than what it reads of it: a row that it reads is of
-- a day whose times are known. Of two views in a query they may be older. So a day is taken to
-- reach a day before and after itself: then what comes in meanwhile changes nothing, unless its
-- door's clock was wrong by a day. Both parts have one scalar, which is evaluated once: with
-- two a promotion in between would show rows of both versions, or of none.
CREATE OR REPLACE VIEW aftershock.crashes AS
WITH
(
    SELECT (ranges, arrayFilter(d -> arrayExists(r -> r.signature_version = d.1 AND r.from <= d.3 AND d.4 < r.to, ranges), days))
    FROM
    (
        SELECT (SELECT argMax(ranges, epoch) FROM aftershock.activation) AS ranges,
            (
                SELECT groupArray((signature_version, day, least(f, toDateTime64(day, 3, 'UTC') - toIntervalDay(1)), greatest(l, toDateTime64(day, 3, 'UTC') + toIntervalDay(2))))
                FROM (SELECT signature_version, day, min(first) AS f, max(last) AS l FROM aftershock.days GROUP BY signature_version, day)
            ) AS days
    )
) AS seen
SELECT * EXCEPT (ver) REPLACE (lower(hex(content_hash)) AS content_hash), arrayStringConcat(proto_functions, ' | ') AS proto_signature
FROM aftershock.crash_rows FINAL
WHERE (signature_version, day) IN (SELECT tupleElement(arrayJoin(tupleElement(seen, 2)) AS d, 1), tupleElement(d, 2))
UNION ALL
WITH
(
    SELECT (ranges, arrayFilter(d -> arrayExists(r -> r.signature_version = d.1 AND r.from <= d.3 AND d.4 < r.to, ranges), days))
    FROM
    (
        SELECT (SELECT argMax(ranges, epoch) FROM aftershock.activation) AS ranges,
            (
                SELECT groupArray((signature_version, day, least(f, toDateTime64(day, 3, 'UTC') - toIntervalDay(1)), greatest(l, toDateTime64(day, 3, 'UTC') + toIntervalDay(2))))
                FROM (SELECT signature_version, day, min(first) AS f, max(last) AS l FROM aftershock.days GROUP BY signature_version, day)
            ) AS days
    )
) AS seen
SELECT * EXCEPT (ver) REPLACE (lower(hex(content_hash)) AS content_hash), arrayStringConcat(proto_functions, ' | ') AS proto_signature
FROM aftershock.crash_rows FINAL
WHERE has(tupleElement(tupleElement(seen, 1), 'signature_version'), signature_version)
  AND (signature_version, day) NOT IN (SELECT tupleElement(arrayJoin(tupleElement(seen, 2)) AS d, 1), tupleElement(d, 2))
  AND arrayExists(r -> r.signature_version = signature_version AND r.from <= received_at AND received_at < r.to, tupleElement(seen, 1));

CREATE OR REPLACE VIEW aftershock.pings AS
WITH
(
    SELECT (ranges, arrayFilter(d -> arrayExists(r -> r.signature_version = d.1 AND r.from <= d.3 AND d.4 < r.to, ranges), days))
    FROM
    (
        SELECT (SELECT argMax(ranges, epoch) FROM aftershock.activation) AS ranges,
            (
                SELECT groupArray((signature_version, day, least(f, toDateTime64(day, 3, 'UTC') - toIntervalDay(1)), greatest(l, toDateTime64(day, 3, 'UTC') + toIntervalDay(2))))
                FROM (SELECT signature_version, day, min(first) AS f, max(last) AS l FROM aftershock.days GROUP BY signature_version, day)
            ) AS days
    )
) AS seen
SELECT * EXCEPT (ver) REPLACE (lower(hex(content_hash)) AS content_hash), arrayStringConcat(proto_functions, ' | ') AS proto_signature
FROM aftershock.ping_rows FINAL
WHERE (signature_version, day) IN (SELECT tupleElement(arrayJoin(tupleElement(seen, 2)) AS d, 1), tupleElement(d, 2))
UNION ALL
WITH
(
    SELECT (ranges, arrayFilter(d -> arrayExists(r -> r.signature_version = d.1 AND r.from <= d.3 AND d.4 < r.to, ranges), days))
    FROM
    (
        SELECT (SELECT argMax(ranges, epoch) FROM aftershock.activation) AS ranges,
            (
                SELECT groupArray((signature_version, day, least(f, toDateTime64(day, 3, 'UTC') - toIntervalDay(1)), greatest(l, toDateTime64(day, 3, 'UTC') + toIntervalDay(2))))
                FROM (SELECT signature_version, day, min(first) AS f, max(last) AS l FROM aftershock.days GROUP BY signature_version, day)
            ) AS days
    )
) AS seen
SELECT * EXCEPT (ver) REPLACE (lower(hex(content_hash)) AS content_hash), arrayStringConcat(proto_functions, ' | ') AS proto_signature
FROM aftershock.ping_rows FINAL
WHERE has(tupleElement(tupleElement(seen, 1), 'signature_version'), signature_version)
  AND (signature_version, day) NOT IN (SELECT tupleElement(arrayJoin(tupleElement(seen, 2)) AS d, 1), tupleElement(d, 2))
  AND arrayExists(r -> r.signature_version = signature_version AND r.from <= received_at AND received_at < r.to, tupleElement(seen, 1));

CREATE OR REPLACE VIEW aftershock_protected.crashes AS
WITH
(
    SELECT (ranges, arrayFilter(d -> arrayExists(r -> r.signature_version = d.1 AND r.from <= d.3 AND d.4 < r.to, ranges), days))
    FROM
    (
        SELECT (SELECT argMax(ranges, epoch) FROM aftershock.activation) AS ranges,
            (
                SELECT groupArray((signature_version, day, least(f, toDateTime64(day, 3, 'UTC') - toIntervalDay(1)), greatest(l, toDateTime64(day, 3, 'UTC') + toIntervalDay(2))))
                FROM (SELECT signature_version, day, min(first) AS f, max(last) AS l FROM aftershock.days GROUP BY signature_version, day)
            ) AS days
    )
) AS seen
SELECT * EXCEPT (ver)
FROM aftershock_protected.crash_rows FINAL
WHERE (signature_version, day) IN (SELECT tupleElement(arrayJoin(tupleElement(seen, 2)) AS d, 1), tupleElement(d, 2))
UNION ALL
WITH
(
    SELECT (ranges, arrayFilter(d -> arrayExists(r -> r.signature_version = d.1 AND r.from <= d.3 AND d.4 < r.to, ranges), days))
    FROM
    (
        SELECT (SELECT argMax(ranges, epoch) FROM aftershock.activation) AS ranges,
            (
                SELECT groupArray((signature_version, day, least(f, toDateTime64(day, 3, 'UTC') - toIntervalDay(1)), greatest(l, toDateTime64(day, 3, 'UTC') + toIntervalDay(2))))
                FROM (SELECT signature_version, day, min(first) AS f, max(last) AS l FROM aftershock.days GROUP BY signature_version, day)
            ) AS days
    )
) AS seen
SELECT * EXCEPT (ver)
FROM aftershock_protected.crash_rows FINAL
WHERE has(tupleElement(tupleElement(seen, 1), 'signature_version'), signature_version)
  AND (signature_version, day) NOT IN (SELECT tupleElement(arrayJoin(tupleElement(seen, 2)) AS d, 1), tupleElement(d, 2))
  AND arrayExists(r -> r.signature_version = signature_version AND r.from <= received_at AND received_at < r.to, tupleElement(seen, 1));

CREATE OR REPLACE VIEW aftershock_protected.pings AS
WITH
(
    SELECT (ranges, arrayFilter(d -> arrayExists(r -> r.signature_version = d.1 AND r.from <= d.3 AND d.4 < r.to, ranges), days))
    FROM
    (
        SELECT (SELECT argMax(ranges, epoch) FROM aftershock.activation) AS ranges,
            (
                SELECT groupArray((signature_version, day, least(f, toDateTime64(day, 3, 'UTC') - toIntervalDay(1)), greatest(l, toDateTime64(day, 3, 'UTC') + toIntervalDay(2))))
                FROM (SELECT signature_version, day, min(first) AS f, max(last) AS l FROM aftershock.days GROUP BY signature_version, day)
            ) AS days
    )
) AS seen
SELECT * EXCEPT (ver)
FROM aftershock_protected.ping_rows FINAL
WHERE (signature_version, day) IN (SELECT tupleElement(arrayJoin(tupleElement(seen, 2)) AS d, 1), tupleElement(d, 2))
UNION ALL
WITH
(
    SELECT (ranges, arrayFilter(d -> arrayExists(r -> r.signature_version = d.1 AND r.from <= d.3 AND d.4 < r.to, ranges), days))
    FROM
    (
        SELECT (SELECT argMax(ranges, epoch) FROM aftershock.activation) AS ranges,
            (
                SELECT groupArray((signature_version, day, least(f, toDateTime64(day, 3, 'UTC') - toIntervalDay(1)), greatest(l, toDateTime64(day, 3, 'UTC') + toIntervalDay(2))))
                FROM (SELECT signature_version, day, min(first) AS f, max(last) AS l FROM aftershock.days GROUP BY signature_version, day)
            ) AS days
    )
) AS seen
SELECT * EXCEPT (ver)
FROM aftershock_protected.ping_rows FINAL
WHERE has(tupleElement(tupleElement(seen, 1), 'signature_version'), signature_version)
  AND (signature_version, day) NOT IN (SELECT tupleElement(arrayJoin(tupleElement(seen, 2)) AS d, 1), tupleElement(d, 2))
  AND arrayExists(r -> r.signature_version = signature_version AND r.from <= received_at AND received_at < r.to, tupleElement(seen, 1));
