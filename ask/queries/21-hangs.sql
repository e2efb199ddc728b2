-- Hangs by where the program was: the shutdown's phase, what it waited for, the channel's error.
-- param from DateTime = 7d: begin of the time, as received
-- param to DateTime = now: its end
-- param product String = '': product; empty for all
-- param channel String = '': release channel; empty for all
-- param process_type String = '': kind of process; empty for all
-- param os String = '': system; empty for all
-- param limit UInt32 = 50: rows at most
-- chart bars progress crashes
SELECT ifNull(shutdown_progress, '') AS progress, ifNull(async_shutdown_phase, '') AS phase, ifNull(ipc_channel_error, '') AS channel_error, count() AS crashes, topK(3)(signature) AS signatures
FROM aftershock.crashes
WHERE day BETWEEN toDate({from:DateTime}) - 1 AND toDate({to:DateTime}) + 1 AND received_at >= {from:DateTime} AND received_at < {to:DateTime} AND report_type = 'hang'
    AND ({product:String} = '' OR product = {product:String}) AND ({channel:String} = '' OR channel = {channel:String})
    AND ({process_type:String} = '' OR process_type = {process_type:String}) AND ({os:String} = '' OR os = {os:String})
GROUP BY progress, phase, channel_error
ORDER BY crashes DESC, progress, phase, channel_error
LIMIT {limit:UInt32}
