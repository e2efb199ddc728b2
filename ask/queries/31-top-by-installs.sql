-- The signatures that hit most installations, and how often each: a crash that a few have again and again stands far below.
-- param from DateTime = 7d: begin of the time, as received
-- param to DateTime = now: its end
-- param product String = '': product; empty for all, != and a value for all but that
-- param channel String = '': release channel; empty for all, != and a value for all but that
-- param process_type String = '': kind of process; empty for all, != and a value for all but that
-- param os String = '': system; empty for all, != and a value for all but that
-- param without Array(String) = '': signatures that are left out, one a line
-- param limit UInt32 = 50: rows at most
-- chart bars signature installs
SELECT signature, installs, crashes, round(with_install / nullIf(installs, 0), 2) AS crashes_per_install, round(100 * installs / nullIf(total, 0), 2) AS percent_of_installs
FROM
(
    SELECT signature_id, uniqExact(install_time) AS installs, count() AS crashes, countIf(install_time IS NOT NULL) AS with_install
    FROM aftershock.crashes
    WHERE day BETWEEN toDate({from:DateTime}) - 1 AND toDate({to:DateTime}) + 1 AND received_at >= {from:DateTime} AND received_at < {to:DateTime}
        AND ({product:String} = '' OR if(startsWith({product:String}, '!='), NOT has(splitByString('\n!=', substring({product:String}, 3)), product), product = {product:String})) AND ({channel:String} = '' OR if(startsWith({channel:String}, '!='), NOT has(splitByString('\n!=', substring({channel:String}, 3)), channel), channel = {channel:String}))
        AND ({process_type:String} = '' OR if(startsWith({process_type:String}, '!='), NOT has(splitByString('\n!=', substring({process_type:String}, 3)), process_type), process_type = {process_type:String})) AND ({os:String} = '' OR if(startsWith({os:String}, '!='), NOT has(splitByString('\n!=', substring({os:String}, 3)), os), os = {os:String}))
        AND (empty({without:Array(String)}) OR NOT has(arrayMap(s -> sipHash64(s), {without:Array(String)}), signature_id))
    GROUP BY signature_id
) AS counted
ANY LEFT JOIN aftershock.signature_names AS names USING (signature_id)
CROSS JOIN
(
    SELECT uniqExact(install_time) AS total
    FROM aftershock.crashes
    WHERE day BETWEEN toDate({from:DateTime}) - 1 AND toDate({to:DateTime}) + 1 AND received_at >= {from:DateTime} AND received_at < {to:DateTime}
        AND ({product:String} = '' OR if(startsWith({product:String}, '!='), NOT has(splitByString('\n!=', substring({product:String}, 3)), product), product = {product:String})) AND ({channel:String} = '' OR if(startsWith({channel:String}, '!='), NOT has(splitByString('\n!=', substring({channel:String}, 3)), channel), channel = {channel:String}))
        AND ({process_type:String} = '' OR if(startsWith({process_type:String}, '!='), NOT has(splitByString('\n!=', substring({process_type:String}, 3)), process_type), process_type = {process_type:String})) AND ({os:String} = '' OR if(startsWith({os:String}, '!='), NOT has(splitByString('\n!=', substring({os:String}, 3)), os), os = {os:String}))
        AND (empty({without:Array(String)}) OR NOT has(arrayMap(s -> sipHash64(s), {without:Array(String)}), signature_id))
) AS everything
ORDER BY installs DESC, signature
LIMIT {limit:UInt32}
