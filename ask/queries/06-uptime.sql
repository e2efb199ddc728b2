-- How long the program had run when it crashed, and how many crashes were at its start, of a signature or of all.
-- estimated weighs each crash with 1 / throttle_rate, and percent goes by it.
-- param signature String = '': the signature; empty for all
-- param from DateTime = 7d: begin of the time, as received
-- param to DateTime = now: its end
-- param product String = '': product; empty for all
-- param channel String = '': release channel; empty for all
-- param process_type String = '': kind of process; empty for all
-- param os String = '': system; empty for all
-- chart bars ran percent
SELECT multiIf(uptime IS NULL, 'unknown', uptime < 60, 'below 1 min', uptime < 300, '1 to 5 min', uptime < 900, '5 to 15 min', uptime < 3600, '15 to 60 min', '60 min and more') AS ran,
    count() AS crashes, round(sum(1 / throttle_rate)) AS estimated, round(100 * sum(1 / throttle_rate) / sum(sum(1 / throttle_rate)) OVER (), 2) AS percent, countIf(startup_crash) AS at_startup
FROM aftershock.crashes
WHERE day BETWEEN toDate({from:DateTime}) - 1 AND toDate({to:DateTime}) + 1 AND received_at >= {from:DateTime} AND received_at < {to:DateTime} AND ({signature:String} = '' OR signature = {signature:String})
    AND ({product:String} = '' OR product = {product:String}) AND ({channel:String} = '' OR channel = {channel:String})
    AND ({process_type:String} = '' OR process_type = {process_type:String}) AND ({os:String} = '' OR os = {os:String})
GROUP BY ran
ORDER BY indexOf(['below 1 min', '1 to 5 min', '5 to 15 min', '15 to 60 min', '60 min and more', 'unknown'], ran)
