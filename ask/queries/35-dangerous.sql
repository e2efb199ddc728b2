-- Crashes that may be exploitable, by signature: dangerous are writes and executions away from null, and addresses that are none (non-canonical). Null pointers and aborts are counted beside them.
-- param from DateTime = 7d: begin of the time, as received
-- param to DateTime = now: its end
-- param product String = '': product; empty for all, != and a value for all but that
-- param channel String = '': release channel; empty for all, != and a value for all but that
-- param process_type String = '': kind of process; empty for all, != and a value for all but that
-- param os String = '': system; empty for all, != and a value for all but that
-- param limit UInt32 = 50: rows at most
-- chart bars signature dangerous
WITH memory_access IN ('write', 'readwrite') AND address_kind IS NULL AS wild_write, position(reason, '_EXEC') > 0 AND ifNull(address_kind, '') != 'null-pointer' AS execution
SELECT signature, count() AS crashes, countIf(wild_write OR execution OR address_kind = 'non-canonical') AS dangerous, countIf(wild_write) AS wild_writes, countIf(execution) AS executions, countIf(address_kind = 'non-canonical') AS non_canonical,
    countIf(address_kind = 'null-pointer') AS null_pointers, countIf(reason LIKE 'SIGABRT%' OR reason LIKE '%BREAKPOINT%') AS aborts, uniqExact(install_time) AS installs
FROM aftershock.crashes
WHERE day BETWEEN toDate({from:DateTime}) - 1 AND toDate({to:DateTime}) + 1 AND received_at >= {from:DateTime} AND received_at < {to:DateTime}
    AND ({product:String} = '' OR if(startsWith({product:String}, '!='), NOT has(splitByString('\n!=', substring({product:String}, 3)), product), product = {product:String})) AND ({channel:String} = '' OR if(startsWith({channel:String}, '!='), NOT has(splitByString('\n!=', substring({channel:String}, 3)), channel), channel = {channel:String}))
    AND ({process_type:String} = '' OR if(startsWith({process_type:String}, '!='), NOT has(splitByString('\n!=', substring({process_type:String}, 3)), process_type), process_type = {process_type:String})) AND ({os:String} = '' OR if(startsWith({os:String}, '!='), NOT has(splitByString('\n!=', substring({os:String}, 3)), os), os = {os:String}))
GROUP BY signature
HAVING dangerous > 0
ORDER BY dangerous DESC, signature
LIMIT {limit:UInt32}
