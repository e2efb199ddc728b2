-- How far the tables are: crashes of each partition of the raw topic by the newest that is here, and when it was received. What is missing of the log, aftershock verify tells.
-- param since DateTime = 1d: crashes received since
-- param at DateTime = now: the time that seconds_ago counts from
SELECT raw_topic, raw_partition, count() AS crashes, max(raw_offset) AS newest_offset, max(received_at) AS newest, dateDiff('second', newest, {at:DateTime}) AS seconds_ago
FROM aftershock.crashes
WHERE day >= toDate({since:DateTime}) - 1 AND received_at >= {since:DateTime}
GROUP BY raw_topic, raw_partition
ORDER BY raw_topic, raw_partition
