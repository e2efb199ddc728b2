-- The signatures with most crashes in builds of a time: of what was built then, whenever it crashed.
-- param build_from String: first build id
-- param build_to String = 99999999999999: last build id
-- param since DateTime = 28d: crashes received since
-- param product String = '': product; empty for all
-- param channel String = '': release channel; empty for all
-- param process_type String = '': kind of process; empty for all
-- param os String = '': system; empty for all
-- param limit UInt32 = 50: rows at most
-- chart bars signature estimated
SELECT signature, count() AS crashes, round(sum(1 / throttle_rate)) AS estimated, uniqExact(build_id) AS builds, min(build_id) AS first_build, max(build_id) AS last_build, uniqExact(install_time) AS installs
FROM aftershock.crashes
WHERE day >= toDate({since:DateTime}) - 1 AND received_at >= {since:DateTime} AND build_id BETWEEN {build_from:String} AND {build_to:String}
    AND ({product:String} = '' OR product = {product:String}) AND ({channel:String} = '' OR channel = {channel:String})
    AND ({process_type:String} = '' OR process_type = {process_type:String}) AND ({os:String} = '' OR os = {os:String})
GROUP BY signature
ORDER BY estimated DESC, signature
LIMIT {limit:UInt32}
