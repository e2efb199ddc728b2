-- Signatures of crashes with a function in any thread, and in how many crashes it stands outside the crashing thread. A function is module!function, as threads.stack has it.
-- protected
-- param frame String: the function, whole, with its module before it: libxul.so!main
-- param from DateTime = 7d: begin of the time, as received
-- param to DateTime = now: its end
-- param product String = '': product; empty for all, != and a value for all but that
-- param limit UInt32 = 50: rows at most
-- chart bars signature crashes
SELECT c.signature AS signature, count() AS crashes, countIf(length(p.found) > 1 OR ifNull(p.found[1] != c.crashing_thread + 1, true)) AS in_other_threads
FROM
(
    SELECT crash_id, signature, crashing_thread
    FROM aftershock.crashes
    WHERE day BETWEEN toDate({from:DateTime}) - 1 AND toDate({to:DateTime}) + 1 AND received_at >= {from:DateTime} AND received_at < {to:DateTime} AND ({product:String} = '' OR if(startsWith({product:String}, '!='), NOT has(splitByString('\n!=', substring({product:String}, 3)), product), product = {product:String}))
) AS c
INNER JOIN
(
    SELECT crash_id, arrayFilter((n, stack) -> has(stack, {frame:String}), arrayEnumerate(`threads.stack`), `threads.stack`) AS found
    FROM aftershock_protected.crashes
    WHERE day BETWEEN toDate({from:DateTime}) - 1 AND toDate({to:DateTime}) + 1 AND received_at >= {from:DateTime} AND received_at < {to:DateTime} AND has(arrayFlatten(`threads.stack`), {frame:String})
) AS p ON c.crash_id = p.crash_id
GROUP BY signature
ORDER BY crashes DESC, signature
LIMIT {limit:UInt32}
