-- The signatures with most crashes, with their share, their rank and the change of their share against as much time before, and how many installations they hit.
-- estimated weighs each crash with what the door's rules keep of its kind, 1 / throttle_rate: ranks and shares go by it.
-- param from DateTime = 7d: begin of the time, as received
-- param to DateTime = now: its end
-- param product String = '': product; empty for all
-- param channel String = '': release channel; empty for all
-- param process_type String = '': kind of process; empty for all
-- param os String = '': system; empty for all
-- param limit UInt32 = 50: rows at most
-- chart bars signature estimated
WITH {from:DateTime} - ({to:DateTime} - {from:DateTime}) AS before
SELECT rank, signature, crashes, round(weight) AS estimated, round(100 * weight / total, 2) AS percent, if(previous = 0, NULL, previous_rank) AS rank_before,
    round(100 * weight / total - if(previous_total = 0, 0, 100 * previous / previous_total), 2) AS change, installs,
    round(100 * startup / crashes, 1) AS startup_percent, round(100 * hangs / crashes, 1) AS hang_percent, windows, mac, linux, android
FROM
(
    SELECT *, row_number() OVER (ORDER BY weight DESC, signature) AS rank, row_number() OVER (ORDER BY previous DESC, signature) AS previous_rank,
        sum(weight) OVER () AS total, sum(previous) OVER () AS previous_total
    FROM
    (
        SELECT signature, countIf(now) AS crashes, sumIf(1 / throttle_rate, NOT now) AS previous, sumIf(1 / throttle_rate, now) AS weight,
            uniqExactIf(install_time, now) AS installs, countIf(now AND startup_crash) AS startup, countIf(now AND report_type = 'hang') AS hangs,
            countIf(now AND os = 'Windows NT') AS windows, countIf(now AND os = 'Mac OS X') AS mac, countIf(now AND os = 'Linux') AS linux, countIf(now AND os = 'Android') AS android
        FROM
        (
            SELECT signature, received_at >= {from:DateTime} AS now, throttle_rate, install_time, startup_crash, report_type, os
            FROM aftershock.crashes
            WHERE day BETWEEN toDate(before) - 1 AND toDate({to:DateTime}) + 1 AND received_at >= before AND received_at < {to:DateTime}
                AND ({product:String} = '' OR product = {product:String}) AND ({channel:String} = '' OR channel = {channel:String})
                AND ({process_type:String} = '' OR process_type = {process_type:String}) AND ({os:String} = '' OR os = {os:String})
        )
        GROUP BY signature
    )
)
WHERE crashes > 0
ORDER BY rank
LIMIT {limit:UInt32}
