-- What became of signatures lately: new (first seen since not long), back (again, after a while without), rising (far more than in the days before), quiet (none any more, of what crashed often).
-- The thresholds are parameters; pages take them from a file.
-- param to DateTime = now: until when it is looked
-- param product String = '': product; empty for all, != and a value for all but that
-- param channel String = '': release channel; empty for all, != and a value for all but that
-- param process_type String = '': kind of process; empty for all, != and a value for all but that
-- param os String = '': system; empty for all, != and a value for all but that
-- param without Array(String) = '': signatures that are left out, one a line
-- param signature String = '': the signature; empty for all
-- param hours UInt32 = 24: how long is lately
-- param new_days UInt32 = 7: new is what was first seen in so many days
-- param new_least UInt32 = 5: and crashed so often lately
-- param back_days UInt32 = 7: back is what did not crash for so many days
-- param back_least UInt32 = 5: and crashed so often lately
-- param rising_times Float64 = 3: rising is what crashed so many times as often as in the week before
-- param rising_least UInt32 = 15: and so often lately
-- param quiet_days UInt32 = 7: quiet is what did not crash for so many days
-- param quiet_least UInt32 = 50: and so often in the three weeks before those
-- param limit UInt32 = 50: rows at most
WITH {to:DateTime} - toIntervalHour({hours:UInt32}) AS lately, {to:DateTime} - INTERVAL 28 DAY AS begin
SELECT multiIf(first_seen >= {to:DateTime} - toIntervalDay({new_days:UInt32}) AND crashes >= {new_least:UInt32}, 'new',
        crashes >= {back_least:UInt32} AND first_seen < lately AND last_before < lately - toIntervalDay({back_days:UInt32}), 'back',
        crashes >= {rising_least:UInt32} AND crashes > {rising_times:Float64} * usual, 'rising',
        last < {to:DateTime} - toIntervalDay({quiet_days:UInt32}) AND earlier >= {quiet_least:UInt32}, 'quiet', '') AS state,
    signature, crashes, round(usual, 1) AS usual, installs, first_seen, last AS last_crash
FROM
(
    SELECT c.signature_id AS signature_id, any(n.signature) AS signature, any(c.crashes) AS crashes, any(c.usual) AS usual, any(c.installs) AS installs, any(c.earlier) AS earlier, any(c.last) AS last, any(c.last_before) AS last_before, min(f.first_seen) AS first_seen
    FROM
    (
        SELECT signature_id, countIf(received_at >= lately) AS crashes, countIf(received_at < lately AND received_at >= lately - INTERVAL 7 DAY) * {hours:UInt32} / (7 * 24) AS usual,
            uniqExactIf(install_time, received_at >= lately) AS installs, countIf(received_at < {to:DateTime} - toIntervalDay({quiet_days:UInt32})) AS earlier,
            max(received_at) AS last, maxIf(received_at, received_at < lately) AS last_before
        FROM aftershock.crashes
        WHERE day BETWEEN toDate(begin) - 1 AND toDate({to:DateTime}) + 1 AND received_at >= begin AND received_at < {to:DateTime}
            AND ({product:String} = '' OR if(startsWith({product:String}, '!='), NOT has(splitByString('\n!=', substring({product:String}, 3)), product), product = {product:String})) AND ({channel:String} = '' OR if(startsWith({channel:String}, '!='), NOT has(splitByString('\n!=', substring({channel:String}, 3)), channel), channel = {channel:String}))
            AND ({process_type:String} = '' OR if(startsWith({process_type:String}, '!='), NOT has(splitByString('\n!=', substring({process_type:String}, 3)), process_type), process_type = {process_type:String})) AND ({os:String} = '' OR if(startsWith({os:String}, '!='), NOT has(splitByString('\n!=', substring({os:String}, 3)), os), os = {os:String}))
            AND (empty({without:Array(String)}) OR NOT has(arrayMap(s -> sipHash64(s), {without:Array(String)}), signature_id))
            AND ({signature:String} = '' OR signature = {signature:String})
        GROUP BY signature_id
        HAVING crashes >= least({new_least:UInt32}, {back_least:UInt32}, {rising_least:UInt32}) OR earlier >= {quiet_least:UInt32} AND last < {to:DateTime} - toIntervalDay({quiet_days:UInt32})
    ) AS c
    ANY LEFT JOIN aftershock.signature_names AS n ON c.signature_id = n.signature_id
    LEFT JOIN (SELECT signature_id, min(first_seen) AS first_seen FROM aftershock.signature_first_seen WHERE ({product:String} = '' OR if(startsWith({product:String}, '!='), NOT has(splitByString('\n!=', substring({product:String}, 3)), product), product = {product:String})) AND ({signature:String} = '' OR signature_id = sipHash64({signature:String})) GROUP BY signature_id) AS f ON c.signature_id = f.signature_id
    GROUP BY c.signature_id
)
WHERE state != ''
ORDER BY indexOf(['new', 'back', 'rising', 'quiet'], state), crashes DESC, signature
LIMIT {limit:UInt32}
