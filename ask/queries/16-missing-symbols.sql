-- Modules in stacks of which no source has symbols, by how many crashes lack them: what to upload first.
-- param from DateTime = 7d: begin of the time, as received
-- param to DateTime = now: its end
-- param product String = '': product; empty for all, != and a value for all but that
-- param limit UInt32 = 50: rows at most
-- chart bars module crashes

-- What is shown of a module is made of those that are shown. As a number a crash id has the order of its text.
WITH splitByChar('/', replaceAll(toString(module), '\\/', '\0')) AS parts
SELECT replaceAll(parts[1], '\0', '/') AS file, parts[3] AS debug_id, module, crashes, signatures, toString(toUUID(leftPad(lower(hex(first)), 32, '0'))) AS example
FROM
(
    SELECT module, count() AS crashes, uniqExact(signature_id) AS signatures, min(toUInt128(crash_id)) AS first
    FROM aftershock.missing_symbols
    WHERE day BETWEEN toDate({from:DateTime}) - 1 AND toDate({to:DateTime}) + 1 AND received_at >= {from:DateTime} AND received_at < {to:DateTime} AND ({product:String} = '' OR if(startsWith({product:String}, '!='), NOT has(splitByString('\n!=', substring({product:String}, 3)), product), product = {product:String}))
    GROUP BY module
    ORDER BY crashes DESC, module
    LIMIT {limit:UInt32}
)
ORDER BY crashes DESC, module
