-- On what a signature crashes: its crashes by system, by the system's version as people call it, by architecture and by kind of process.
-- estimated weighs each crash with 1 / throttle_rate, and percent goes by it.
-- param signature String: the signature
-- param from DateTime = 7d: begin of the time, as received
-- param to DateTime = now: its end
-- chart bars value percent
SELECT field, value, count() AS crashes, round(sum(1 / throttle_rate)) AS estimated, round(100 * sum(1 / throttle_rate) / sum(sum(1 / throttle_rate)) OVER (PARTITION BY field), 2) AS percent
FROM aftershock.crashes
ARRAY JOIN ['os', 'os_pretty_version', 'cpu_arch', 'process_type'] AS field, [toString(os), ifNull(os_pretty_version, ''), toString(cpu_arch), toString(process_type)] AS value
WHERE signature = {signature:String} AND day BETWEEN toDate({from:DateTime}) - 1 AND toDate({to:DateTime}) + 1 AND received_at >= {from:DateTime} AND received_at < {to:DateTime}
GROUP BY field, value
ORDER BY field, estimated DESC, value
