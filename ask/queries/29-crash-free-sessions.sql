-- Sessions without a crash, by whole day and version, where the numbers of sessions have been loaded into aftershock.sessions. Crashes are weighed with 1 / throttle_rate.
-- param product String: product
-- param from DateTime = 28d: begin of the time, as received
-- param to DateTime = now: its end
-- param channel String = '': release channel; empty for all, != and a value for all but that
SELECT s.day AS day, s.version AS version, s.sessions AS sessions, round(c.crashes) AS crashes, round(100 * (1 - c.crashes / s.sessions), 4) AS crash_free_percent, c.installs AS installs_that_crashed
FROM
(
    SELECT day, version, sum(sessions) AS sessions
    FROM aftershock.sessions FINAL
    WHERE product = {product:String} AND ({channel:String} = '' OR if(startsWith({channel:String}, '!='), NOT has(splitByString('\n!=', substring({channel:String}, 3)), channel), channel = {channel:String})) AND day BETWEEN toDate({from:DateTime}) AND toDate({to:DateTime})
    GROUP BY day, version
) AS s
LEFT JOIN
(
    SELECT day, version, sum(1 / throttle_rate) AS crashes, uniqExact(install_time) AS installs
    FROM aftershock.crashes
    WHERE product = {product:String} AND ({channel:String} = '' OR if(startsWith({channel:String}, '!='), NOT has(splitByString('\n!=', substring({channel:String}, 3)), channel), channel = {channel:String})) AND day BETWEEN toDate({from:DateTime}) AND toDate({to:DateTime})
    GROUP BY day, version
) AS c ON s.day = c.day AND s.version = c.version
ORDER BY day, version
