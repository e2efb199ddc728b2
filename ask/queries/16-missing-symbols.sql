-- Modules in stacks of which no source has symbols, by how many crashes lack them: what to upload first.
-- param from DateTime = 7d: begin of the time, as received
-- param to DateTime = now: its end
-- param product String = '': product; empty for all
-- param limit UInt32 = 50: rows at most
-- chart bars module crashes
WITH splitByChar('/', replaceAll(module, '\\/', '\0')) AS parts
SELECT replaceAll(min(parts[1]), '\0', '/') AS file, min(parts[3]) AS debug_id, module, count() AS crashes, uniqExact(signature) AS signatures, min(toString(crash_id)) AS example
FROM aftershock.crashes
ARRAY JOIN missing_symbols AS module
WHERE day BETWEEN toDate({from:DateTime}) - 1 AND toDate({to:DateTime}) + 1 AND received_at >= {from:DateTime} AND received_at < {to:DateTime} AND ({product:String} = '' OR product = {product:String})
GROUP BY module
ORDER BY crashes DESC, module
LIMIT {limit:UInt32}
