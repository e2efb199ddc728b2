-- Crashes at the start, by version: these users cannot use the program at all.
-- param from DateTime = 7d: begin of the time, as received
-- param to DateTime = now: its end
-- param product String = '': product; empty for all, != and a value for all but that
-- param channel String = '': release channel; empty for all, != and a value for all but that
-- param process_type String = '': kind of process; empty for all, != and a value for all but that
-- param os String = '': system; empty for all, != and a value for all but that
-- param without Array(String) = '': signatures that are left out, one a line
-- param limit UInt32 = 50: rows at most
-- chart bars version at_startup
SELECT product, version, count() AS crashes, countIf(startup_crash) AS at_startup, countIf(uptime < 60) AS within_a_minute, uniqExactIf(install_time, startup_crash) AS installs, round(100 * at_startup / crashes, 1) AS startup_percent,
    topKIf(3)(signature, startup_crash) AS signatures
FROM aftershock.crashes
WHERE day BETWEEN toDate({from:DateTime}) - 1 AND toDate({to:DateTime}) + 1 AND received_at >= {from:DateTime} AND received_at < {to:DateTime}
    AND ({product:String} = '' OR if(startsWith({product:String}, '!='), NOT has(splitByString('\n!=', substring({product:String}, 3)), product), product = {product:String})) AND ({channel:String} = '' OR if(startsWith({channel:String}, '!='), NOT has(splitByString('\n!=', substring({channel:String}, 3)), channel), channel = {channel:String}))
    AND ({process_type:String} = '' OR if(startsWith({process_type:String}, '!='), NOT has(splitByString('\n!=', substring({process_type:String}, 3)), process_type), process_type = {process_type:String})) AND ({os:String} = '' OR if(startsWith({os:String}, '!='), NOT has(splitByString('\n!=', substring({os:String}, 3)), os), os = {os:String}))
    AND (empty({without:Array(String)}) OR NOT has(arrayMap(s -> sipHash64(s), {without:Array(String)}), signature_id))
GROUP BY product, version
ORDER BY at_startup DESC, product, version
LIMIT {limit:UInt32}
