-- What a signature's crashes have more often than other crashes of its products: values of fields and modules that are over-represented, with how sure that is. So many values are compared that some have 2 or 3 deviations by chance; above 4 is hardly chance.
-- param signature String: the signature
-- param from DateTime = 7d: begin of the time, as received
-- param to DateTime = now: its end
-- param product String = '': product; empty for all
-- param least UInt32 = 5: crashes with the value at least
-- param limit UInt32 = 50: rows at most
WITH products AS (SELECT DISTINCT product FROM aftershock.crashes WHERE signature = {signature:String} AND day BETWEEN toDate({from:DateTime}) - 1 AND toDate({to:DateTime}) + 1 AND received_at >= {from:DateTime} AND received_at < {to:DateTime} AND ({product:String} = '' OR product = {product:String})),
    (SELECT countIf(signature = {signature:String}), countIf(signature != {signature:String}) FROM aftershock.crashes WHERE day BETWEEN toDate({from:DateTime}) - 1 AND toDate({to:DateTime}) + 1 AND received_at >= {from:DateTime} AND received_at < {to:DateTime} AND product IN products) AS totals
SELECT field, value, here, others, round(100 * here / totals.1, 1) AS here_percent, round(100 * others / totals.2, 1) AS others_percent,
    round((here / totals.1 - others / totals.2) / sqrt(greatest((here + others) / (totals.1 + totals.2) * (1 - (here + others) / (totals.1 + totals.2)), 1e-9) * (1 / totals.1 + 1 / totals.2)), 1) AS deviations
FROM
(
    SELECT pair.1 AS field, pair.2 AS value, countIf(signature = {signature:String}) AS here, countIf(signature != {signature:String}) AS others
    FROM aftershock.crashes
    ARRAY JOIN arrayConcat([('os', ifNull(os_pretty_version, toString(os))), ('arch', toString(cpu_arch)), ('process', toString(process_type)), ('version', toString(version)), ('channel', toString(channel)),
        ('gpu', concat(ifNull(gpu_vendor, ''), ' ', ifNull(gpu_device, ''))), ('driver', ifNull(adapter_driver_version, '')), ('microcode', ifNull(cpu_microcode, '')), ('cpu', toString(cpu_info)), ('startup', ifNull(toString(startup_crash), '')),
        ('reason', toString(reason)), ('device', ifNull(android_model, '')), ('locale', ifNull(locale, ''))], arrayMap(m -> ('module', m), arrayDistinct(arrayFilter(f -> f != '', arrayMap(f -> toString(f), `modules.filename`))))) AS pair
    WHERE day BETWEEN toDate({from:DateTime}) - 1 AND toDate({to:DateTime}) + 1 AND received_at >= {from:DateTime} AND received_at < {to:DateTime} AND product IN products
    GROUP BY field, value
    HAVING here >= {least:UInt32} AND trim(value) != ''
)
WHERE deviations > 0
ORDER BY deviations DESC, field, value
LIMIT {limit:UInt32}
