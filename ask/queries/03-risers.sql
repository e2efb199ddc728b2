-- Signatures whose share of the crashes grew against as much time before, those that grew most first; a new one has no rank before.
-- estimated weighs each crash with what the door's rules keep of its kind, 1 / throttle_rate: ranks and shares go by it.
-- param from DateTime = 7d: begin of the time, as received
-- param to DateTime = now: its end
-- param product String = '': product; empty for all, != and a value for all but that
-- param channel String = '': release channel; empty for all, != and a value for all but that
-- param process_type String = '': kind of process; empty for all, != and a value for all but that
-- param os String = '': system; empty for all, != and a value for all but that
-- param without Array(String) = '': signatures that are left out, one a line
-- param limit UInt32 = 50: rows at most
-- chart bars signature change
WITH {from:DateTime} - ({to:DateTime} - {from:DateTime}) AS before
SELECT signature, crashes, round(weight) AS estimated, round(previous) AS estimated_before, if(previous = 0, NULL, previous_rank) AS rank_before, rank, round(100 * weight / greatest(total, 1), 2) AS percent,
    round(100 * weight / greatest(total, 1) - 100 * previous / greatest(previous_total, 1), 2) AS change
FROM
(
    SELECT *, row_number() OVER (ORDER BY weight DESC, signature) AS rank, row_number() OVER (ORDER BY previous DESC, signature) AS previous_rank,
        sum(weight) OVER () AS total, sum(previous) OVER () AS previous_total
    FROM
    (
        SELECT signature_id, countIf(received_at >= {from:DateTime}) AS crashes, sumIf(1 / throttle_rate, received_at >= {from:DateTime}) AS weight, sumIf(1 / throttle_rate, received_at < {from:DateTime}) AS previous
        FROM aftershock.crashes
        WHERE day BETWEEN toDate(before) - 1 AND toDate({to:DateTime}) + 1 AND received_at >= before AND received_at < {to:DateTime}
            AND ({product:String} = '' OR if(startsWith({product:String}, '!='), NOT has(splitByString('\n!=', substring({product:String}, 3)), product), product = {product:String})) AND ({channel:String} = '' OR if(startsWith({channel:String}, '!='), NOT has(splitByString('\n!=', substring({channel:String}, 3)), channel), channel = {channel:String}))
            AND ({process_type:String} = '' OR if(startsWith({process_type:String}, '!='), NOT has(splitByString('\n!=', substring({process_type:String}, 3)), process_type), process_type = {process_type:String})) AND ({os:String} = '' OR if(startsWith({os:String}, '!='), NOT has(splitByString('\n!=', substring({os:String}, 3)), os), os = {os:String}))
            AND (empty({without:Array(String)}) OR NOT has(arrayMap(s -> sipHash64(s), {without:Array(String)}), signature_id))
        GROUP BY signature_id
    ) AS counted
    ANY LEFT JOIN aftershock.signature_names AS names USING (signature_id)
)
WHERE change > 0
ORDER BY change DESC, signature
LIMIT {limit:UInt32}
