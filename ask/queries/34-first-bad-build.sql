-- The build from which on a signature is frequent: of all ways to cut the builds in two, the one that parts the shares most clearly (log-likelihood; as every way is tried, above 6 is hardly chance).
-- param signature String: the signature
-- param product String = '': product; empty for all, != and a value for all but that
-- param channel String = '': release channel; empty for all, != and a value for all but that
-- param since DateTime = 28d: crashes received since
SELECT build_id, version, crashes, all_crashes, before_crashes, before_all, since_crashes, since_all, round(1000 * before_crashes / before_all, 2) AS per_mille_before, round(1000 * since_crashes / since_all, 2) AS per_mille_since, round(gain, 1) AS evidence
FROM
(
    SELECT *, since_crashes * log(since_crashes / since_all) + before_crashes * log(greatest(before_crashes, 0.5) / before_all) - total * log(total / everything) AS gain
    FROM
    (
        SELECT *, toFloat64(sum(crashes) OVER ()) AS total, toFloat64(sum(all_crashes) OVER ()) AS everything, toFloat64(sum(crashes) OVER (ORDER BY build_id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)) AS before_crashes,
            toFloat64(sum(all_crashes) OVER (ORDER BY build_id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)) AS before_all, total - before_crashes AS since_crashes, everything - before_all AS since_all
        FROM
        (
            SELECT build_id, min(version) AS version, countIf(signature = {signature:String}) AS crashes, count() AS all_crashes
            FROM aftershock.crashes
            WHERE day >= toDate({since:DateTime}) - 1 AND received_at >= {since:DateTime} AND build_id != ''
                AND ({product:String} = '' OR if(startsWith({product:String}, '!='), NOT has(splitByString('\n!=', substring({product:String}, 3)), product), product = {product:String})) AND ({channel:String} = '' OR if(startsWith({channel:String}, '!='), NOT has(splitByString('\n!=', substring({channel:String}, 3)), channel), channel = {channel:String}))
            GROUP BY build_id
        )
    )
)
WHERE since_crashes > 0 AND before_all > 0 AND since_crashes / since_all > before_crashes / before_all
ORDER BY gain DESC, build_id
LIMIT 5
