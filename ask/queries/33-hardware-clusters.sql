-- Processors on which a signature crashes more than others do there: crashes by processor and microcode, beside their share of all crashes.
-- param signature String: the signature
-- param from DateTime = 7d: begin of the time, as received
-- param to DateTime = now: its end
-- param least UInt32 = 5: crashes at least
-- param limit UInt32 = 50: rows at most
SELECT cpu_info, ifNull(cpu_microcode, '') AS microcode, countIf(signature = {signature:String}) AS crashes, count() AS all_crashes, uniqExactIf(install_time, signature = {signature:String}) AS installs,
    round(crashes / all_crashes / (sum(crashes) OVER () / sum(all_crashes) OVER ()), 2) AS times_as_frequent
FROM aftershock.crashes
WHERE day BETWEEN toDate({from:DateTime}) - 1 AND toDate({to:DateTime}) + 1 AND received_at >= {from:DateTime} AND received_at < {to:DateTime} AND cpu_info != ''
GROUP BY cpu_info, microcode
HAVING crashes >= {least:UInt32}
ORDER BY times_as_frequent DESC, cpu_info, microcode
LIMIT {limit:UInt32}
