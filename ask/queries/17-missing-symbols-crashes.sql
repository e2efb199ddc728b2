-- The crashes that lack a module's symbols: those to process again when they have come.
-- param module String: as missing-symbols shows it, or its beginning
-- param from DateTime = 28d: begin of the time, as received
-- param to DateTime = now: its end
-- param limit UInt32 = 1000: rows at most
SELECT crash_id, received_at, product, version, signature
FROM aftershock.crashes
WHERE day BETWEEN toDate({from:DateTime}) - 1 AND toDate({to:DateTime}) + 1 AND received_at >= {from:DateTime} AND received_at < {to:DateTime} AND arrayExists(m -> startsWith(m, {module:String}), missing_symbols)
ORDER BY received_at DESC, toString(crash_id) DESC
LIMIT {limit:UInt32}
