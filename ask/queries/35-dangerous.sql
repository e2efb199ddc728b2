-- Crashes that may be exploitable, by signature: dangerous are writes and executions away from null, and addresses that are none (non-canonical). Null pointers and aborts are counted beside them.
-- param from DateTime = 7d: begin of the time, as received
-- param to DateTime = now: its end
-- param product String = '': product; empty for all
-- param channel String = '': release channel; empty for all
-- param process_type String = '': kind of process; empty for all
-- param os String = '': system; empty for all
-- param limit UInt32 = 50: rows at most
-- chart bars signature dangerous
WITH memory_access IN ('write', 'readwrite') AND address_kind IS NULL AS wild_write, position(reason, '_EXEC') > 0 AND ifNull(address_kind, '') != 'null-pointer' AS execution
SELECT signature, count() AS crashes, countIf(wild_write OR execution OR address_kind = 'non-canonical') AS dangerous, countIf(wild_write) AS wild_writes, countIf(execution) AS executions, countIf(address_kind = 'non-canonical') AS non_canonical,
    countIf(address_kind = 'null-pointer') AS null_pointers, countIf(reason LIKE 'SIGABRT%' OR reason LIKE '%BREAKPOINT%') AS aborts, uniqExact(install_time) AS installs
FROM aftershock.crashes
WHERE day BETWEEN toDate({from:DateTime}) - 1 AND toDate({to:DateTime}) + 1 AND received_at >= {from:DateTime} AND received_at < {to:DateTime}
    AND ({product:String} = '' OR product = {product:String}) AND ({channel:String} = '' OR channel = {channel:String})
    AND ({process_type:String} = '' OR process_type = {process_type:String}) AND ({os:String} = '' OR os = {os:String})
GROUP BY signature
HAVING dangerous > 0
ORDER BY dangerous DESC, signature
LIMIT {limit:UInt32}
