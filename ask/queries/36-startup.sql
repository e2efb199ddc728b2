-- Crashes at the start, by version: these users cannot use the program at all.
-- param from DateTime = 7d: begin of the time, as received
-- param to DateTime = now: its end
-- param product String = '': product; empty for all
-- param channel String = '': release channel; empty for all
-- param process_type String = '': kind of process; empty for all
-- param os String = '': system; empty for all
-- param limit UInt32 = 50: rows at most
-- chart bars version at_startup
SELECT product, version, count() AS crashes, countIf(startup_crash) AS at_startup, countIf(uptime < 60) AS within_a_minute, uniqExactIf(install_time, startup_crash) AS installs, round(100 * at_startup / crashes, 1) AS startup_percent,
    topKIf(3)(signature, startup_crash) AS signatures
FROM aftershock.crashes
WHERE day BETWEEN toDate({from:DateTime}) - 1 AND toDate({to:DateTime}) + 1 AND received_at >= {from:DateTime} AND received_at < {to:DateTime}
    AND ({product:String} = '' OR product = {product:String}) AND ({channel:String} = '' OR channel = {channel:String})
    AND ({process_type:String} = '' OR process_type = {process_type:String}) AND ({os:String} = '' OR os = {os:String})
GROUP BY product, version
ORDER BY at_startup DESC, product, version
LIMIT {limit:UInt32}
