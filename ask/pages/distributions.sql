-- How a signature's crashes are spread over the values of fields: the ten most frequent of each.
SELECT field, value, crashes, round(100 * crashes / sumIf(crashes, field = '') OVER (), 1) AS percent
FROM
(
    SELECT multiIf(grouping(p) = 0, 'product', grouping(v) = 0, 'version', grouping(c) = 0, 'channel', grouping(o) = 0, 'os', grouping(ov) = 0, 'os_pretty_version', grouping(a) = 0, 'cpu_arch', grouping(t) = 0, 'process_type', grouping(b) = 0, 'build_id', grouping(r) = 0, 'reason', grouping(g) = 0, 'gpu_vendor', grouping(k) = 0, 'address_kind', grouping(m) = 0, 'android_model', grouping(l) = 0, 'locale', '') AS field,
        concat(p, v, c, o, ov, a, t, b, r, g, k, m, l) AS value, count() AS crashes
    FROM
    (
        SELECT toString(product) AS p, toString(version) AS v, toString(channel) AS c, toString(os) AS o, ifNull(toString(os_pretty_version), '') AS ov, toString(cpu_arch) AS a, toString(process_type) AS t, toString(build_id) AS b, toString(reason) AS r,
            ifNull(toString(gpu_vendor), '') AS g, ifNull(toString(address_kind), '') AS k, ifNull(toString(android_model), '') AS m, ifNull(toString(locale), '') AS l
        FROM aftershock.crashes
        WHERE signature = {signature:String} AND day BETWEEN toDate({from:DateTime64(3)}) - 1 AND toDate({to:DateTime64(3)}) + 1 AND received_at >= {from:DateTime64(3)} AND received_at < {to:DateTime64(3)}
    AND ({product:String} = '' OR if(startsWith({product:String}, '!='), NOT has(splitByString('\n!=', substring({product:String}, 3)), product), product = {product:String})) AND ({channel:String} = '' OR if(startsWith({channel:String}, '!='), NOT has(splitByString('\n!=', substring({channel:String}, 3)), channel), channel = {channel:String}))
    AND ({process_type:String} = '' OR if(startsWith({process_type:String}, '!='), NOT has(splitByString('\n!=', substring({process_type:String}, 3)), process_type), process_type = {process_type:String})) AND ({os:String} = '' OR if(startsWith({os:String}, '!='), NOT has(splitByString('\n!=', substring({os:String}, 3)), os), os = {os:String}))
    )
    GROUP BY GROUPING SETS ((p), (v), (c), (o), (ov), (a), (t), (b), (r), (g), (k), (m), (l), ())
)
QUALIFY field != '' AND value != '' AND row_number() OVER (PARTITION BY field ORDER BY value = '', crashes DESC, value) <= 10
ORDER BY field, crashes DESC, value
