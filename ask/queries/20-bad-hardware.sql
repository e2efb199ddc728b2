-- How much of a signature is probably broken memory or processors: flipped bits, and what the instruction cannot have done.
-- param from DateTime = 7d: begin of the time, as received
-- param to DateTime = now: its end
-- param product String = '': product; empty for all, != and a value for all but that
-- param channel String = '': release channel; empty for all, != and a value for all but that
-- param process_type String = '': kind of process; empty for all, != and a value for all but that
-- param os String = '': system; empty for all, != and a value for all but that
-- param least UInt32 = 10: crashes at least
-- param limit UInt32 = 50: rows at most
-- chart bars signature suspect_percent
SELECT signature, count() AS crashes, countIf(bit_flip_percent >= 25) AS flipped, countIf(notEmpty(crash_inconsistencies)) AS inconsistent,
    round(100 * countIf(bit_flip_percent >= 25 OR notEmpty(crash_inconsistencies)) / crashes, 1) AS suspect_percent, uniqExact(install_time) AS installs
FROM aftershock.crashes
WHERE day BETWEEN toDate({from:DateTime}) - 1 AND toDate({to:DateTime}) + 1 AND received_at >= {from:DateTime} AND received_at < {to:DateTime}
    AND ({product:String} = '' OR if(startsWith({product:String}, '!='), NOT has(splitByString('\n!=', substring({product:String}, 3)), product), product = {product:String})) AND ({channel:String} = '' OR if(startsWith({channel:String}, '!='), NOT has(splitByString('\n!=', substring({channel:String}, 3)), channel), channel = {channel:String}))
    AND ({process_type:String} = '' OR if(startsWith({process_type:String}, '!='), NOT has(splitByString('\n!=', substring({process_type:String}, 3)), process_type), process_type = {process_type:String})) AND ({os:String} = '' OR if(startsWith({os:String}, '!='), NOT has(splitByString('\n!=', substring({os:String}, 3)), os), os = {os:String}))
GROUP BY signature
HAVING crashes >= {least:UInt32}
ORDER BY suspect_percent DESC, crashes DESC, signature
LIMIT {limit:UInt32}
