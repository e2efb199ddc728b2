-- The signatures with most crashes, with their share, their rank and the change of their share against as much time before, and how many installations they hit.
-- estimated weighs each crash with what the door's rules keep of its kind, 1 / throttle_rate: ranks and shares go by it.
-- param from DateTime = 7d: begin of the time, as received
-- param to DateTime = now: its end
-- param product String = '': product; empty for all, != and a value for all but that
-- param channel String = '': release channel; empty for all, != and a value for all but that
-- param process_type String = '': kind of process; empty for all, != and a value for all but that
-- param os String = '': system; empty for all, != and a value for all but that
-- param without Array(String) = '': signatures that are left out, one a line
-- param limit UInt32 = 50: rows at most
-- chart bars signature estimated

WITH {from:DateTime} - ({to:DateTime} - {from:DateTime}) AS before,
(
    -- The signatures that are shown are found first: how many installations each hit is asked of them alone.
    SELECT groupArray((rank, signature_id, signature, crashes, weight, total, previous, previous_rank, previous_total))
    FROM
    (
        SELECT *, row_number() OVER (ORDER BY weight DESC, signature) AS rank, row_number() OVER (ORDER BY previous DESC, signature) AS previous_rank,
            sum(weight) OVER () AS total, sum(previous) OVER () AS previous_total
        FROM
        (
            SELECT signature_id, countIf(received_at >= {from:DateTime}) AS crashes, sumIf(1 / throttle_rate, received_at < {from:DateTime}) AS previous, sumIf(1 / throttle_rate, received_at >= {from:DateTime}) AS weight
            FROM aftershock.crashes
            WHERE day BETWEEN toDate(before) - 1 AND toDate({to:DateTime}) + 1 AND received_at >= before AND received_at < {to:DateTime}
                AND ({product:String} = '' OR if(startsWith({product:String}, '!='), NOT has(splitByString('\n!=', substring({product:String}, 3)), product), product = {product:String})) AND ({channel:String} = '' OR if(startsWith({channel:String}, '!='), NOT has(splitByString('\n!=', substring({channel:String}, 3)), channel), channel = {channel:String}))
                AND ({process_type:String} = '' OR if(startsWith({process_type:String}, '!='), NOT has(splitByString('\n!=', substring({process_type:String}, 3)), process_type), process_type = {process_type:String})) AND ({os:String} = '' OR if(startsWith({os:String}, '!='), NOT has(splitByString('\n!=', substring({os:String}, 3)), os), os = {os:String}))
                AND (empty({without:Array(String)}) OR NOT has(arrayMap(s -> sipHash64(s), {without:Array(String)}), signature_id))
            GROUP BY signature_id
        ) AS counted
        ANY LEFT JOIN aftershock.signature_names AS names USING (signature_id)
        ORDER BY rank
    )
    WHERE crashes > 0 AND rank <= {limit:UInt32}
) AS top
SELECT t.rank AS rank, t.signature AS signature, t.crashes AS crashes, round(t.weight) AS estimated, round(100 * t.weight / t.total, 2) AS percent, if(t.previous = 0, NULL, t.previous_rank) AS rank_before,
    round(100 * t.weight / t.total - if(t.previous_total = 0, 0, 100 * t.previous / t.previous_total), 2) AS change, d.installs AS installs,
    round(100 * d.startup / t.crashes, 1) AS startup_percent, round(100 * d.hangs / t.crashes, 1) AS hang_percent, d.windows AS windows, d.mac AS mac, d.linux AS linux, d.android AS android
FROM
(
    SELECT t.1 AS rank, t.2 AS signature_id, t.3 AS signature, t.4 AS crashes, t.5 AS weight, t.6 AS total, t.7 AS previous, t.8 AS previous_rank, t.9 AS previous_total
    FROM (SELECT arrayJoin(top) AS t)
) AS t
INNER JOIN
(
    SELECT signature_id, uniqExact(install_time) AS installs, countIf(startup_crash) AS startup, countIf(report_type = 'hang') AS hangs,
        countIf(os = 'Windows NT') AS windows, countIf(os = 'Mac OS X') AS mac, countIf(os = 'Linux') AS linux, countIf(os = 'Android') AS android
    FROM aftershock.crashes
    WHERE day BETWEEN toDate({from:DateTime}) - 1 AND toDate({to:DateTime}) + 1 AND received_at >= {from:DateTime} AND received_at < {to:DateTime}
        AND ({product:String} = '' OR if(startsWith({product:String}, '!='), NOT has(splitByString('\n!=', substring({product:String}, 3)), product), product = {product:String})) AND ({channel:String} = '' OR if(startsWith({channel:String}, '!='), NOT has(splitByString('\n!=', substring({channel:String}, 3)), channel), channel = {channel:String}))
        AND ({process_type:String} = '' OR if(startsWith({process_type:String}, '!='), NOT has(splitByString('\n!=', substring({process_type:String}, 3)), process_type), process_type = {process_type:String})) AND ({os:String} = '' OR if(startsWith({os:String}, '!='), NOT has(splitByString('\n!=', substring({os:String}, 3)), os), os = {os:String}))
        AND (empty({without:Array(String)}) OR NOT has(arrayMap(s -> sipHash64(s), {without:Array(String)}), signature_id))
        AND signature_id IN (SELECT arrayJoin(top).2)
    GROUP BY signature_id
) AS d ON t.signature_id = d.signature_id
ORDER BY rank
