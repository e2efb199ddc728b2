-- Signatures of crashes that have a module in the crashing thread, or a source file on top of it.
-- param module String = '': file/debug id as modules_in_stack has it, or its beginning
-- param file String = '': source file on top, or its end
-- param from DateTime = 7d: begin of the time, as received
-- param to DateTime = now: its end
-- param product String = '': product; empty for all, != and a value for all but that
-- param limit UInt32 = 50: rows at most
-- chart bars signature crashes
SELECT signature, count() AS crashes, uniqExact(version) AS versions, minIf(build_id, build_id != '') AS first_build, max(build_id) AS last_build
FROM aftershock.crashes
WHERE day BETWEEN toDate({from:DateTime}) - 1 AND toDate({to:DateTime}) + 1 AND received_at >= {from:DateTime} AND received_at < {to:DateTime} AND ({product:String} = '' OR if(startsWith({product:String}, '!='), NOT has(splitByString('\n!=', substring({product:String}, 3)), product), product = {product:String}))
    AND ({module:String} = '' OR arrayExists(m -> startsWith(m, {module:String}), modules_in_stack)) AND ({file:String} = '' OR endsWith(ifNull(topmost_file, ''), {file:String}))
GROUP BY signature
ORDER BY crashes DESC, signature
LIMIT {limit:UInt32}
