-- Did a build fix it: crashes and installations of a signature by build, in the order of builds, beside all crashes of the build.
-- param signature String: the signature
-- param product String = '': product; empty for all, != and a value for all but that
-- param channel String = '': release channel; empty for all, != and a value for all but that
-- param since DateTime = 28d: crashes received since
-- chart line build_id per_mille
SELECT build_id, min(version) AS version, countIf(signature = {signature:String}) AS crashes, uniqExactIf(install_time, signature = {signature:String}) AS installs, count() AS all_crashes,
    round(1000 * crashes / all_crashes, 2) AS per_mille
FROM aftershock.crashes
WHERE day >= toDate({since:DateTime}) - 1 AND received_at >= {since:DateTime} AND build_id != ''
    AND ({product:String} = '' OR if(startsWith({product:String}, '!='), NOT has(splitByString('\n!=', substring({product:String}, 3)), product), product = {product:String})) AND ({channel:String} = '' OR if(startsWith({channel:String}, '!='), NOT has(splitByString('\n!=', substring({channel:String}, 3)), channel), channel = {channel:String}))
GROUP BY build_id
ORDER BY build_id
