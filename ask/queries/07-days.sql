-- Crashes a day, parted by a field, of a signature or of all.
-- param signature String = '': the signature; empty for all
-- param from DateTime = 28d: begin of the time, as received
-- param to DateTime = now: its end
-- param product String = '': product; empty for all, != and a value for all but that
-- param channel String = '': release channel; empty for all, != and a value for all but that
-- param process_type String = '': kind of process; empty for all, != and a value for all but that
-- param os String = '': system; empty for all, != and a value for all but that
-- param without Array(String) = '': signatures that are left out, one a line
-- param by String = version: field to part it by: version, os, os_pretty_version, channel, process_type, cpu_arch, build_id, product, reason
-- chart line day crashes
SELECT day, multiIf({by:String} = 'os', toString(os), {by:String} = 'os_pretty_version', ifNull(os_pretty_version, ''), {by:String} = 'channel', toString(channel), {by:String} = 'process_type', toString(process_type),
        {by:String} = 'cpu_arch', toString(cpu_arch), {by:String} = 'build_id', toString(build_id), {by:String} = 'product', toString(product), {by:String} = 'reason', toString(reason), toString(version)) AS part, count() AS crashes, round(sum(1 / throttle_rate)) AS estimated
FROM aftershock.crashes
WHERE day BETWEEN toDate({from:DateTime}) - 1 AND toDate({to:DateTime}) + 1 AND received_at >= {from:DateTime} AND received_at < {to:DateTime} AND ({signature:String} = '' OR signature = {signature:String})
    AND ({product:String} = '' OR if(startsWith({product:String}, '!='), NOT has(splitByString('\n!=', substring({product:String}, 3)), product), product = {product:String})) AND ({channel:String} = '' OR if(startsWith({channel:String}, '!='), NOT has(splitByString('\n!=', substring({channel:String}, 3)), channel), channel = {channel:String}))
    AND ({process_type:String} = '' OR if(startsWith({process_type:String}, '!='), NOT has(splitByString('\n!=', substring({process_type:String}, 3)), process_type), process_type = {process_type:String})) AND ({os:String} = '' OR if(startsWith({os:String}, '!='), NOT has(splitByString('\n!=', substring({os:String}, 3)), os), os = {os:String}))
    AND (empty({without:Array(String)}) OR NOT has(arrayMap(s -> sipHash64(s), {without:Array(String)}), signature_id))
    AND throwIf({by:String} NOT IN ('version', 'os', 'os_pretty_version', 'channel', 'process_type', 'cpu_arch', 'build_id', 'product', 'reason'), 'by: want one of version, os, os_pretty_version, channel, process_type, cpu_arch, build_id, product, reason') = 0
GROUP BY day, part
ORDER BY day, crashes DESC, part
