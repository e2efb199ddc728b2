-- What each signature version made of a crash, as the newest revision has it.
SELECT signature_version, revision, signature,
    processed_topic, processed_partition, processed_offset,
    has(tupleElement((SELECT argMax(ranges, epoch) FROM aftershock.activation) AS active, 'signature_version'), signature_version)
        AND arrayExists(r -> r.signature_version = signature_version AND r.from <= received_at AND received_at < r.to, active) AS seen
FROM aftershock.crash_rows FINAL
WHERE day = {day:Date} AND crash_id = {crash_id:UUID}
UNION ALL
SELECT signature_version, revision, signature,
    processed_topic, processed_partition, processed_offset,
    has(tupleElement((SELECT argMax(ranges, epoch) FROM aftershock.activation) AS active, 'signature_version'), signature_version)
        AND arrayExists(r -> r.signature_version = signature_version AND r.from <= received_at AND received_at < r.to, active) AS seen
FROM aftershock.ping_rows FINAL
WHERE day = {day:Date} AND crash_id = {crash_id:UUID}
ORDER BY signature_version
