-- The values of a field among the crashes of a scope, with counts and installations.
-- estimated weighs each crash with 1 / throttle_rate, and percent goes by it.
-- param by String = version: field to part it by: version, os, os_pretty_version, channel, process_type, cpu_arch, build_id, product, reason
-- param signature String = '': the signature; empty for all
-- param version String = '': version; empty for all
-- param from DateTime = 7d: begin of the time, as received
-- param to DateTime = now: its end
-- param product String = '': product; empty for all, != and a value for all but that
-- param channel String = '': release channel; empty for all, != and a value for all but that
-- param process_type String = '': kind of process; empty for all, != and a value for all but that
-- param os String = '': system; empty for all, != and a value for all but that
-- param limit UInt32 = 50: rows at most
-- chart bars value estimated
SELECT multiIf({by:String} = 'os', toString(os), {by:String} = 'os_pretty_version', ifNull(os_pretty_version, ''), {by:String} = 'channel', toString(channel), {by:String} = 'process_type', toString(process_type),
        {by:String} = 'cpu_arch', toString(cpu_arch), {by:String} = 'build_id', toString(build_id), {by:String} = 'product', toString(product), {by:String} = 'reason', toString(reason), toString(version)) AS value, count() AS crashes, round(sum(1 / throttle_rate)) AS estimated, round(100 * sum(1 / throttle_rate) / sum(sum(1 / throttle_rate)) OVER (), 2) AS percent, uniqExact(install_time) AS installs, uniqExact(signature) AS signatures
FROM aftershock.crashes
WHERE day BETWEEN toDate({from:DateTime}) - 1 AND toDate({to:DateTime}) + 1 AND received_at >= {from:DateTime} AND received_at < {to:DateTime} AND ({signature:String} = '' OR signature = {signature:String}) AND ({version:String} = '' OR version = {version:String})
    AND ({product:String} = '' OR if(startsWith({product:String}, '!='), NOT has(splitByString('\n!=', substring({product:String}, 3)), product), product = {product:String})) AND ({channel:String} = '' OR if(startsWith({channel:String}, '!='), NOT has(splitByString('\n!=', substring({channel:String}, 3)), channel), channel = {channel:String}))
    AND ({process_type:String} = '' OR if(startsWith({process_type:String}, '!='), NOT has(splitByString('\n!=', substring({process_type:String}, 3)), process_type), process_type = {process_type:String})) AND ({os:String} = '' OR if(startsWith({os:String}, '!='), NOT has(splitByString('\n!=', substring({os:String}, 3)), os), os = {os:String}))
    AND throwIf({by:String} NOT IN ('version', 'os', 'os_pretty_version', 'channel', 'process_type', 'cpu_arch', 'build_id', 'product', 'reason'), 'by: want one of version, os, os_pretty_version, channel, process_type, cpu_arch, build_id, product, reason') = 0
GROUP BY value
ORDER BY estimated DESC, value
LIMIT {limit:UInt32}
