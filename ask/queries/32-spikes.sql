-- Days on which a signature crashed far more often than in the week before, which has to lie in the time that is asked for: by how many standard deviations of a Poisson count.
-- param from DateTime = 28d: begin of the time, as received
-- param to DateTime = now: its end
-- param product String = '': product; empty for all, != and a value for all but that
-- param channel String = '': release channel; empty for all, != and a value for all but that
-- param process_type String = '': kind of process; empty for all, != and a value for all but that
-- param os String = '': system; empty for all, != and a value for all but that
-- param without Array(String) = '': signatures that are left out, one a line
-- param deviations Float64 = 5: deviations at least
-- param limit UInt32 = 50: rows at most
SELECT day, signature, crashes, round(usual, 1) AS expected, round((crashes - usual) / sqrt(greatest(usual, 1)), 1) AS deviations
FROM
(
    SELECT day, signature_id, crashes, sum(crashes) OVER (PARTITION BY signature_id ORDER BY toUInt32(day) RANGE BETWEEN 7 PRECEDING AND 1 PRECEDING) / 7 AS usual
    FROM
    (
        SELECT day, signature_id, count() AS crashes
        FROM aftershock.crashes
        WHERE day BETWEEN toDate({from:DateTime}) - 1 AND toDate({to:DateTime}) + 1 AND received_at >= {from:DateTime} AND received_at < {to:DateTime}
            AND ({product:String} = '' OR if(startsWith({product:String}, '!='), NOT has(splitByString('\n!=', substring({product:String}, 3)), product), product = {product:String})) AND ({channel:String} = '' OR if(startsWith({channel:String}, '!='), NOT has(splitByString('\n!=', substring({channel:String}, 3)), channel), channel = {channel:String}))
            AND ({process_type:String} = '' OR if(startsWith({process_type:String}, '!='), NOT has(splitByString('\n!=', substring({process_type:String}, 3)), process_type), process_type = {process_type:String})) AND ({os:String} = '' OR if(startsWith({os:String}, '!='), NOT has(splitByString('\n!=', substring({os:String}, 3)), os), os = {os:String}))
            AND (empty({without:Array(String)}) OR NOT has(arrayMap(s -> sipHash64(s), {without:Array(String)}), signature_id))
        GROUP BY day, signature_id
    )
) AS counted
ANY LEFT JOIN aftershock.signature_names AS names USING (signature_id)
WHERE toDateTime(day, 'UTC') - INTERVAL 7 DAY >= {from:DateTime} AND deviations >= {deviations:Float64}
ORDER BY deviations DESC, day, signature
LIMIT {limit:UInt32}
