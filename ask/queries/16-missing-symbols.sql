-- Modules in stacks of which no source has symbols, by how many crashes lack them: what to upload first.
-- param from DateTime = 7d: begin of the time, as received
-- param to DateTime = now: its end
-- param product String = '': product; empty for all
-- param limit UInt32 = 50: rows at most
-- chart bars module crashes
SELECT min(filename) AS file, min(debug_id) AS debug_id, module, count() AS crashes, uniqExact(signature_id) AS signatures, min(toString(crash_id)) AS example
FROM aftershock.missing_symbols
WHERE day BETWEEN toDate({from:DateTime}) - 1 AND toDate({to:DateTime}) + 1 AND received_at >= {from:DateTime} AND received_at < {to:DateTime} AND ({product:String} = '' OR product = {product:String})
GROUP BY module
ORDER BY crashes DESC, module
LIMIT {limit:UInt32}
