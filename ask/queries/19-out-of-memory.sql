-- Crashes for want of memory, by signature: sizes that could not be allocated, and what was left of memory.
-- param from DateTime = 7d: begin of the time, as received
-- param to DateTime = now: its end
-- param product String = '': product; empty for all, != and a value for all but that
-- param channel String = '': release channel; empty for all, != and a value for all but that
-- param process_type String = '': kind of process; empty for all, != and a value for all but that
-- param os String = '': system; empty for all, != and a value for all but that
-- param limit UInt32 = 50: rows at most
-- chart bars signature crashes
SELECT signature, count() AS crashes, quantileExact(0.5)(oom_allocation_size) AS median_size, max(oom_allocation_size) AS largest, quantileExact(0.5)(available_physical_memory) AS median_physical_left,
    quantileExact(0.5)(available_virtual_memory) AS median_virtual_left, quantileExact(0.5)(available_page_file) AS median_commit_left, round(100 * countIf(total_physical_memory < 4294967296) / crashes, 1) AS below_4_gib_percent,
    quantileExact(0.5)(memory_explicit) AS median_explicit
FROM aftershock.crashes
WHERE day BETWEEN toDate({from:DateTime}) - 1 AND toDate({to:DateTime}) + 1 AND received_at >= {from:DateTime} AND received_at < {to:DateTime} AND (oom_allocation_size IS NOT NULL OR startsWith(signature, 'OOM |'))
    AND ({product:String} = '' OR if(startsWith({product:String}, '!='), NOT has(splitByString('\n!=', substring({product:String}, 3)), product), product = {product:String})) AND ({channel:String} = '' OR if(startsWith({channel:String}, '!='), NOT has(splitByString('\n!=', substring({channel:String}, 3)), channel), channel = {channel:String}))
    AND ({process_type:String} = '' OR if(startsWith({process_type:String}, '!='), NOT has(splitByString('\n!=', substring({process_type:String}, 3)), process_type), process_type = {process_type:String})) AND ({os:String} = '' OR if(startsWith({os:String}, '!='), NOT has(splitByString('\n!=', substring({os:String}, 3)), os), os = {os:String}))
GROUP BY signature
ORDER BY crashes DESC, signature
LIMIT {limit:UInt32}
