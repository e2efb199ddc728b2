-- Signatures whose share of a build's crashes differs from that of another build, with an interval of 95 percent for how many times as frequent (of the ratio of two Poisson rates, by its logarithm): what begins above 1 got worse.
-- param old String: build id before
-- param new String: build id after
-- param product String = '': product; empty for all, != and a value for all but that
-- param least UInt32 = 5: crashes of both builds together at least
-- param limit UInt32 = 50: rows at most
-- chart bars signature times
SELECT signature, old_crashes, new_crashes, round(ratio, 2) AS times, round(ratio / spread, 2) AS at_least, round(ratio * spread, 2) AS at_most
FROM
(
    SELECT signature, old_crashes, new_crashes, (new_crashes + 0.5) / (sum(new_crashes) OVER () + 0.5) / ((old_crashes + 0.5) / (sum(old_crashes) OVER () + 0.5)) AS ratio,
        exp(1.959964 * sqrt(1 / (new_crashes + 0.5) + 1 / (old_crashes + 0.5))) AS spread
    FROM
    (
        SELECT signature, countIf(build_id = {old:String}) AS old_crashes, countIf(build_id = {new:String}) AS new_crashes
        FROM aftershock.crashes
        WHERE build_id IN ({old:String}, {new:String}) AND ({product:String} = '' OR if(startsWith({product:String}, '!='), NOT has(splitByString('\n!=', substring({product:String}, 3)), product), product = {product:String}))
        GROUP BY signature
    )
)
WHERE old_crashes + new_crashes >= {least:UInt32}
ORDER BY ratio / spread DESC, signature
LIMIT {limit:UInt32}
