-- How much more often a signature crashes on a processor than elsewhere: its crashes and all crashes by processor and microcode, and how many times its share of them is its share of all whose processor is known.
-- param signature String: the signature
-- param from DateTime = 7d: begin of the time, as received
-- param to DateTime = now: its end
-- param least UInt32 = 5: crashes at least
-- param limit UInt32 = 50: rows at most
SELECT cpu_info, microcode, crashes, all_crashes, installs, round(crashes / all_crashes / (signature_crashes / everything), 2) AS times_as_frequent
FROM
(
    SELECT *, sum(crashes) OVER () AS signature_crashes, sum(all_crashes) OVER () AS everything
    FROM
    (
        SELECT cpu_info, ifNull(cpu_microcode, '') AS microcode, countIf(signature = {signature:String}) AS crashes, count() AS all_crashes, uniqExactIf(install_time, signature = {signature:String}) AS installs
        FROM aftershock.crashes
        WHERE day BETWEEN toDate({from:DateTime}) - 1 AND toDate({to:DateTime}) + 1 AND received_at >= {from:DateTime} AND received_at < {to:DateTime} AND cpu_info != ''
        GROUP BY cpu_info, microcode
    )
)
WHERE crashes >= {least:UInt32}
ORDER BY times_as_frequent DESC, cpu_info, microcode
LIMIT {limit:UInt32}
