-- Crashes for want of memory, by signature: sizes that could not be allocated, and what was left of memory.
-- param from DateTime = 7d: begin of the time, as received
-- param to DateTime = now: its end
-- param product String = '': product; empty for all
-- param channel String = '': release channel; empty for all
-- param process_type String = '': kind of process; empty for all
-- param os String = '': system; empty for all
-- param limit UInt32 = 50: rows at most
-- chart bars signature crashes
SELECT signature, count() AS crashes, quantileExact(0.5)(oom_allocation_size) AS median_size, max(oom_allocation_size) AS largest, quantileExact(0.5)(available_physical_memory) AS median_physical_left,
    quantileExact(0.5)(available_virtual_memory) AS median_virtual_left, quantileExact(0.5)(available_page_file) AS median_commit_left, round(100 * countIf(total_physical_memory < 4294967296) / crashes, 1) AS below_4_gib_percent,
    quantileExact(0.5)(memory_explicit) AS median_explicit
FROM aftershock.crashes
WHERE day BETWEEN toDate({from:DateTime}) - 1 AND toDate({to:DateTime}) + 1 AND received_at >= {from:DateTime} AND received_at < {to:DateTime} AND (oom_allocation_size IS NOT NULL OR startsWith(signature, 'OOM |'))
    AND ({product:String} = '' OR product = {product:String}) AND ({channel:String} = '' OR channel = {channel:String})
    AND ({process_type:String} = '' OR process_type = {process_type:String}) AND ({os:String} = '' OR os = {os:String})
GROUP BY signature
ORDER BY crashes DESC, signature
LIMIT {limit:UInt32}
