-- How long the program had run when it crashed, and how many crashes were at its start, of a signature or of all.
-- estimated weighs each crash with 1 / throttle_rate, and percent goes by it.
-- param signature String = '': the signature; empty for all
-- param from DateTime = 7d: begin of the time, as received
-- param to DateTime = now: its end
-- param product String = '': product; empty for all, != and a value for all but that
-- param channel String = '': release channel; empty for all, != and a value for all but that
-- param process_type String = '': kind of process; empty for all, != and a value for all but that
-- param os String = '': system; empty for all, != and a value for all but that
-- chart bars ran percent
SELECT multiIf(uptime IS NULL, 'unknown', uptime < 60, 'below 1 min', uptime < 300, '1 to 5 min', uptime < 900, '5 to 15 min', uptime < 3600, '15 to 60 min', '60 min and more') AS ran,
    count() AS crashes, round(sum(1 / throttle_rate)) AS estimated, round(100 * sum(1 / throttle_rate) / sum(sum(1 / throttle_rate)) OVER (), 2) AS percent, countIf(startup_crash) AS at_startup
FROM aftershock.crashes
WHERE day BETWEEN toDate({from:DateTime}) - 1 AND toDate({to:DateTime}) + 1 AND received_at >= {from:DateTime} AND received_at < {to:DateTime} AND ({signature:String} = '' OR signature = {signature:String})
    AND ({product:String} = '' OR if(startsWith({product:String}, '!='), NOT has(splitByString('\n!=', substring({product:String}, 3)), product), product = {product:String})) AND ({channel:String} = '' OR if(startsWith({channel:String}, '!='), NOT has(splitByString('\n!=', substring({channel:String}, 3)), channel), channel = {channel:String}))
    AND ({process_type:String} = '' OR if(startsWith({process_type:String}, '!='), NOT has(splitByString('\n!=', substring({process_type:String}, 3)), process_type), process_type = {process_type:String})) AND ({os:String} = '' OR if(startsWith({os:String}, '!='), NOT has(splitByString('\n!=', substring({os:String}, 3)), os), os = {os:String}))
GROUP BY ran
ORDER BY indexOf(['below 1 min', '1 to 5 min', '5 to 15 min', '15 to 60 min', '60 min and more', 'unknown'], ran)
