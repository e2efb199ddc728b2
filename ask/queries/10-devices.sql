-- Android devices by ABI, manufacturer, model and API level, of a signature or of all.
-- param signature String = '': the signature; empty for all
-- param from DateTime = 7d: begin of the time, as received
-- param to DateTime = now: its end
-- param product String = '': product; empty for all, != and a value for all but that
-- param limit UInt32 = 50: rows at most
-- chart bars model crashes
SELECT android_cpu_abi AS abi, android_manufacturer AS manufacturer, android_model AS model, android_api_level AS api, count() AS crashes, uniqExact(install_time) AS installs
FROM aftershock.crashes
WHERE day BETWEEN toDate({from:DateTime}) - 1 AND toDate({to:DateTime}) + 1 AND received_at >= {from:DateTime} AND received_at < {to:DateTime} AND os = 'Android' AND ({signature:String} = '' OR signature = {signature:String}) AND ({product:String} = '' OR if(startsWith({product:String}, '!='), NOT has(splitByString('\n!=', substring({product:String}, 3)), product), product = {product:String}))
GROUP BY abi, manufacturer, model, api
ORDER BY crashes DESC, abi, manufacturer, model, api
LIMIT {limit:UInt32}
