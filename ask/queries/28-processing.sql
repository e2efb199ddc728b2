-- How well crashes are understood, by build: dumps that gave no stack, stacks with frames found by scanning and with names that may be wrong, lacking symbols, and the codes of notes.
-- param from DateTime = 7d: begin of the time, as received
-- param to DateTime = now: its end
-- param product String = '': product; empty for all, != and a value for all but that
-- param limit UInt32 = 50: rows at most
SELECT product, version, build_id, count() AS crashes, round(100 * countIf(dump_status != 'OK') / crashes, 1) AS without_stack_percent, round(100 * countIf(has(`stack.trust`, 'scan')) / crashes, 1) AS scanned_percent, round(100 * countIf(arrayExists(d -> d != '', `stack.doubt`)) / crashes, 1) AS doubtful_percent,
    round(100 * countIf(notEmpty(missing_symbols)) / crashes, 1) AS lacking_symbols_percent, round(100 * countIf(has(`modules.symbols`, 'timeout') OR has(`modules.symbols`, 'error')) / crashes, 1) AS transient_percent,
    topKArray(5)(`notes.code`) AS notes
FROM aftershock.crashes
WHERE day BETWEEN toDate({from:DateTime}) - 1 AND toDate({to:DateTime}) + 1 AND received_at >= {from:DateTime} AND received_at < {to:DateTime} AND ({product:String} = '' OR if(startsWith({product:String}, '!='), NOT has(splitByString('\n!=', substring({product:String}, 3)), product), product = {product:String}))
GROUP BY product, version, build_id
ORDER BY crashes DESC, product, version, build_id
LIMIT {limit:UInt32}
