-- What a signature's crashes have more often than other crashes of its products: values of fields and modules that are over-represented, with how sure that is. So many values are compared that some have 2 or 3 deviations by chance; above 4 is hardly chance.
-- param signature String: the signature
-- param from DateTime = 7d: begin of the time, as received
-- param to DateTime = now: its end
-- param product String = '': product; empty for all, != and a value for all but that
-- param least UInt32 = 5: crashes with the value at least
-- param limit UInt32 = 50: rows at most

WITH products AS (SELECT DISTINCT product FROM aftershock.crashes WHERE signature = {signature:String} AND day BETWEEN toDate({from:DateTime}) - 1 AND toDate({to:DateTime}) + 1 AND received_at >= {from:DateTime} AND received_at < {to:DateTime} AND ({product:String} = '' OR if(startsWith({product:String}, '!='), NOT has(splitByString('\n!=', substring({product:String}, 3)), product), product = {product:String})))
SELECT field, value, here, others, round(100 * here / all_here, 1) AS here_percent, round(100 * others / all_others, 1) AS others_percent,
    round((here / all_here - others / all_others) / sqrt(greatest((here + others) / (all_here + all_others) * (1 - (here + others) / (all_here + all_others)), 1e-9) * (1 / all_here + 1 / all_others)), 1) AS deviations
FROM
(
    SELECT *, sumIf(here, field = '') OVER () AS all_here, sumIf(others, field = '') OVER () AS all_others
    FROM
    (
        -- Each field is counted by itself, in one pass; what has no field are all crashes.
        SELECT multiIf(grouping(system) = 0, 'os', grouping(cpu_arch) = 0, 'arch', grouping(process_type) = 0, 'process', grouping(version) = 0, 'version', grouping(channel) = 0, 'channel', grouping(gpu) = 0, 'gpu', grouping(driver) = 0, 'driver',
                grouping(microcode) = 0, 'microcode', grouping(cpu_info) = 0, 'cpu', grouping(startup) = 0, 'startup', grouping(reason) = 0, 'reason', grouping(device) = 0, 'device', grouping(language) = 0, 'locale', '') AS field,
            concat(system, cpu_arch, process_type, version, channel, gpu, driver, microcode, cpu_info, startup, reason, device, language) AS value, countIf(is_here) AS here, countIf(NOT is_here) AS others
        FROM
        (
            SELECT signature = {signature:String} AS is_here, ifNull(os_pretty_version, os) AS system, cpu_arch, process_type, version, channel, concat(ifNull(gpu_vendor, ''), ' ', ifNull(gpu_device, '')) AS gpu,
                ifNull(adapter_driver_version, '') AS driver, ifNull(cpu_microcode, '') AS microcode, cpu_info, ifNull(toString(startup_crash), '') AS startup, reason, ifNull(android_model, '') AS device, ifNull(locale, '') AS language
            FROM aftershock.crashes
            WHERE day BETWEEN toDate({from:DateTime}) - 1 AND toDate({to:DateTime}) + 1 AND received_at >= {from:DateTime} AND received_at < {to:DateTime} AND product IN products
        )
        GROUP BY GROUPING SETS ((system), (cpu_arch), (process_type), (version), (channel), (gpu), (driver), (microcode), (cpu_info), (startup), (reason), (device), (language), ())
        UNION ALL
        SELECT 'module' AS field, toString(module) AS value, countIf(is_here) AS here, countIf(NOT is_here) AS others
        FROM (SELECT signature = {signature:String} AS is_here, `modules.filename` AS names FROM aftershock.crashes WHERE day BETWEEN toDate({from:DateTime}) - 1 AND toDate({to:DateTime}) + 1 AND received_at >= {from:DateTime} AND received_at < {to:DateTime} AND product IN products)
        ARRAY JOIN arrayDistinct(names) AS module
        GROUP BY module
    )
    WHERE field = '' OR here >= {least:UInt32} AND trim(value) != ''
)
WHERE field != '' AND deviations > 0
ORDER BY deviations DESC, field, value
LIMIT {limit:UInt32}
