-- The signatures with most crashes in builds of a time: of what was built then, whenever it crashed.
-- param build_from String: first build id
-- param build_to String = 99999999999999: last build id
-- param since DateTime = 28d: crashes received since
-- param product String = '': product; empty for all, != and a value for all but that
-- param channel String = '': release channel; empty for all, != and a value for all but that
-- param process_type String = '': kind of process; empty for all, != and a value for all but that
-- param os String = '': system; empty for all, != and a value for all but that
-- param limit UInt32 = 50: rows at most
-- chart bars signature estimated

WITH (
    -- The signatures that are shown are found first: how many installations and builds each hit is asked of them alone.
    SELECT groupArray((signature_id, signature, crashes, weight))
    FROM
    (
        SELECT signature_id, signature, crashes, weight
        FROM
        (
            SELECT signature_id, count() AS crashes, round(sum(1 / throttle_rate)) AS weight
            FROM aftershock.crashes
            WHERE day >= toDate({since:DateTime}) - 1 AND received_at >= {since:DateTime} AND build_id BETWEEN {build_from:String} AND {build_to:String}
                AND ({product:String} = '' OR if(startsWith({product:String}, '!='), NOT has(splitByString('\n!=', substring({product:String}, 3)), product), product = {product:String})) AND ({channel:String} = '' OR if(startsWith({channel:String}, '!='), NOT has(splitByString('\n!=', substring({channel:String}, 3)), channel), channel = {channel:String}))
                AND ({process_type:String} = '' OR if(startsWith({process_type:String}, '!='), NOT has(splitByString('\n!=', substring({process_type:String}, 3)), process_type), process_type = {process_type:String})) AND ({os:String} = '' OR if(startsWith({os:String}, '!='), NOT has(splitByString('\n!=', substring({os:String}, 3)), os), os = {os:String}))
            GROUP BY signature_id
        ) AS counted
        ANY LEFT JOIN aftershock.signature_names AS names USING (signature_id)
        ORDER BY weight DESC, signature
        LIMIT {limit:UInt32}
    )
) AS top
SELECT t.signature AS signature, t.crashes AS crashes, t.weight AS estimated, d.builds AS builds, d.first_build AS first_build, d.last_build AS last_build, d.installs AS installs
FROM (SELECT t.1 AS signature_id, t.2 AS signature, t.3 AS crashes, t.4 AS weight FROM (SELECT arrayJoin(top) AS t)) AS t
INNER JOIN
(
    SELECT signature_id, uniqExact(build_id) AS builds, min(build_id) AS first_build, max(build_id) AS last_build, uniqExact(install_time) AS installs
    FROM aftershock.crashes
    WHERE day >= toDate({since:DateTime}) - 1 AND received_at >= {since:DateTime} AND build_id BETWEEN {build_from:String} AND {build_to:String}
        AND ({product:String} = '' OR if(startsWith({product:String}, '!='), NOT has(splitByString('\n!=', substring({product:String}, 3)), product), product = {product:String})) AND ({channel:String} = '' OR if(startsWith({channel:String}, '!='), NOT has(splitByString('\n!=', substring({channel:String}, 3)), channel), channel = {channel:String}))
        AND ({process_type:String} = '' OR if(startsWith({process_type:String}, '!='), NOT has(splitByString('\n!=', substring({process_type:String}, 3)), process_type), process_type = {process_type:String})) AND ({os:String} = '' OR if(startsWith({os:String}, '!='), NOT has(splitByString('\n!=', substring({os:String}, 3)), os), os = {os:String}))
        AND signature_id IN (SELECT arrayJoin(top).1)
    GROUP BY signature_id
) AS d ON t.signature_id = d.signature_id
ORDER BY estimated DESC, signature
