-- On what a signature crashes: its crashes by system, by the system's version as people call it, by architecture and by kind of process.
-- param signature String: the signature
-- param from DateTime = 7d: begin of the time, as received
-- param to DateTime = now: its end
-- chart bars value crashes
SELECT field, value, count() AS crashes, round(100 * crashes / sum(crashes) OVER (PARTITION BY field), 2) AS percent
FROM aftershock.crashes
ARRAY JOIN ['os', 'os_pretty_version', 'cpu_arch', 'process_type'] AS field, [toString(os), ifNull(os_pretty_version, ''), toString(cpu_arch), toString(process_type)] AS value
WHERE signature = {signature:String} AND day BETWEEN toDate({from:DateTime}) - 1 AND toDate({to:DateTime}) + 1 AND received_at >= {from:DateTime} AND received_at < {to:DateTime}
GROUP BY field, value
ORDER BY field, crashes DESC, value
