-- What crashes of one side have more often than those of the other, and less often: the difference of
-- the shares in percent, with its interval of 95 %. Values whose interval holds 0 are left out.
WITH 1.96 AS z
SELECT field, value, in_a, in_b, round(100 * share_a, 1) AS a_percent, round(100 * share_b, 1) AS b_percent,
    round(100 * (share_b - share_a), 1) AS difference, round(100 * (share_b - share_a - wide), 1) AS at_least, round(100 * (share_b - share_a + wide), 1) AS at_most
FROM
(
    SELECT field, value, in_a, in_b, all_a, all_b, in_a / all_a AS share_a, in_b / all_b AS share_b,
        z * sqrt((in_a + 1) / (all_a + 2) * (1 - (in_a + 1) / (all_a + 2)) / all_a + (in_b + 1) / (all_b + 2) * (1 - (in_b + 1) / (all_b + 2)) / all_b) AS wide
    FROM
    (
        SELECT field, value, in_a, in_b, sumIf(in_a, field = '') OVER () AS all_a, sumIf(in_b, field = '') OVER () AS all_b
        FROM
        (
            SELECT multiIf(grouping(f_os) = 0, 'os', grouping(f_arch) = 0, 'arch', grouping(f_process) = 0, 'process_type', grouping(f_version) = 0, 'version', grouping(f_channel) = 0, 'channel', grouping(f_build) = 0, 'build_id', grouping(f_gpu) = 0, 'gpu_vendor', grouping(f_reason) = 0, 'reason', grouping(f_startup) = 0, 'startup_crash', grouping(f_device) = 0, 'android_model', grouping(f_locale) = 0, 'locale', grouping(f_signature) = 0, 'signature', '') AS field, concat(f_os, f_arch, f_process, f_version, f_channel, f_build, f_gpu, f_reason, f_startup, f_device, f_locale, f_signature) AS value, countIf(a) AS in_a, countIf(b) AS in_b
            FROM
            (
                SELECT (({a_product:String} = '' OR if(startsWith({a_product:String}, '!='), NOT has(splitByString('\n!=', substring({a_product:String}, 3)), product), product = {a_product:String})) AND ({a_channel:String} = '' OR if(startsWith({a_channel:String}, '!='), NOT has(splitByString('\n!=', substring({a_channel:String}, 3)), channel), channel = {a_channel:String})) AND ({a_version:String} = '' OR version = {a_version:String}) AND ({a_build_id:String} = '' OR build_id = {a_build_id:String}) AND received_at >= {a_from:DateTime64(3)} AND received_at < {a_to:DateTime64(3)}) AS a,
                    (({b_product:String} = '' OR if(startsWith({b_product:String}, '!='), NOT has(splitByString('\n!=', substring({b_product:String}, 3)), product), product = {b_product:String})) AND ({b_channel:String} = '' OR if(startsWith({b_channel:String}, '!='), NOT has(splitByString('\n!=', substring({b_channel:String}, 3)), channel), channel = {b_channel:String})) AND ({b_version:String} = '' OR version = {b_version:String}) AND ({b_build_id:String} = '' OR build_id = {b_build_id:String}) AND received_at >= {b_from:DateTime64(3)} AND received_at < {b_to:DateTime64(3)}) AS b,
                    ifNull(toString(os_pretty_version), toString(os)) AS f_os, toString(cpu_arch) AS f_arch, toString(process_type) AS f_process, toString(version) AS f_version, toString(channel) AS f_channel, toString(build_id) AS f_build, ifNull(toString(gpu_vendor), '') AS f_gpu, toString(reason) AS f_reason, ifNull(toString(startup_crash), '') AS f_startup, ifNull(toString(android_model), '') AS f_device, ifNull(toString(locale), '') AS f_locale, toString(signature) AS f_signature
                FROM aftershock.crashes
                WHERE day BETWEEN toDate(least({a_from:DateTime64(3)}, {b_from:DateTime64(3)})) - 1 AND toDate(greatest({a_to:DateTime64(3)}, {b_to:DateTime64(3)})) + 1
                    AND ({process_type:String} = '' OR if(startsWith({process_type:String}, '!='), NOT has(splitByString('\n!=', substring({process_type:String}, 3)), process_type), process_type = {process_type:String})) AND ({os:String} = '' OR if(startsWith({os:String}, '!='), NOT has(splitByString('\n!=', substring({os:String}, 3)), os), os = {os:String}))
            )
            WHERE a OR b
            GROUP BY GROUPING SETS ((f_os), (f_arch), (f_process), (f_version), (f_channel), (f_build), (f_gpu), (f_reason), (f_startup), (f_device), (f_locale), (f_signature), ())
        )
    )
    WHERE all_a > 0 AND all_b > 0
)
WHERE field = '' OR value != '' AND in_a + in_b >= {least:UInt32} AND (share_b - share_a > wide OR share_a - share_b > wide)
ORDER BY field != '', abs(share_b - share_a) - wide DESC, field, value
LIMIT {limit:UInt32}
