-- Signatures of crashes with a function among the innermost frames of the crashing thread, and how deep it stands.
-- param function String: the function, whole
-- param frames UInt32 = 10: innermost frames that are looked at
-- param from DateTime = 7d: begin of the time, as received
-- param to DateTime = now: its end
-- param product String = '': product; empty for all, != and a value for all but that
-- param limit UInt32 = 50: rows at most
-- chart bars signature crashes
SELECT signature, count() AS crashes, min(depth) AS highest, round(avg(depth), 1) AS average_depth
FROM
(
    SELECT signature, arrayMin(arrayFilter((n, f) -> f = {function:String}, `stack.frame`, `stack.function`)) AS depth
    FROM aftershock.crashes
    WHERE day BETWEEN toDate({from:DateTime}) - 1 AND toDate({to:DateTime}) + 1 AND received_at >= {from:DateTime} AND received_at < {to:DateTime} AND ({product:String} = '' OR if(startsWith({product:String}, '!='), NOT has(splitByString('\n!=', substring({product:String}, 3)), product), product = {product:String})) AND has(`stack.function`, {function:String})
)
WHERE depth < {frames:UInt32}
GROUP BY signature
ORDER BY crashes DESC, signature
LIMIT {limit:UInt32}
