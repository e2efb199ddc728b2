-- How much of a signature is probably broken memory or processors: flipped bits, and what the instruction cannot have done.
-- param from DateTime = 7d: begin of the time, as received
-- param to DateTime = now: its end
-- param product String = '': product; empty for all
-- param channel String = '': release channel; empty for all
-- param process_type String = '': kind of process; empty for all
-- param os String = '': system; empty for all
-- param least UInt32 = 10: crashes at least
-- param limit UInt32 = 50: rows at most
-- chart bars signature suspect_percent
SELECT signature, count() AS crashes, countIf(bit_flip_percent >= 25) AS flipped, countIf(notEmpty(crash_inconsistencies)) AS inconsistent,
    round(100 * countIf(bit_flip_percent >= 25 OR notEmpty(crash_inconsistencies)) / crashes, 1) AS suspect_percent, uniqExact(install_time) AS installs
FROM aftershock.crashes
WHERE day BETWEEN toDate({from:DateTime}) - 1 AND toDate({to:DateTime}) + 1 AND received_at >= {from:DateTime} AND received_at < {to:DateTime}
    AND ({product:String} = '' OR product = {product:String}) AND ({channel:String} = '' OR channel = {channel:String})
    AND ({process_type:String} = '' OR process_type = {process_type:String}) AND ({os:String} = '' OR os = {os:String})
GROUP BY signature
HAVING crashes >= {least:UInt32}
ORDER BY suspect_percent DESC, crashes DESC, signature
LIMIT {limit:UInt32}
