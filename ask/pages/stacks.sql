-- The stacks of a signature's crashing threads from the top, as far as a tree of them goes.
SELECT arraySlice(proto_functions, 1, 12) AS path, toString(count()) AS crashes, toString(sum(count()) OVER ()) AS all, toString(argMax(crash_id, received_at)) AS example
FROM aftershock.crashes
WHERE signature = {signature:String} AND day BETWEEN toDate({from:DateTime64(3)}) - 1 AND toDate({to:DateTime64(3)}) + 1 AND received_at >= {from:DateTime64(3)} AND received_at < {to:DateTime64(3)}
    AND ({product:String} = '' OR product = {product:String}) AND ({channel:String} = '' OR channel = {channel:String})
    AND ({process_type:String} = '' OR process_type = {process_type:String}) AND ({os:String} = '' OR os = {os:String})
GROUP BY path
ORDER BY count() DESC, path
LIMIT 500
