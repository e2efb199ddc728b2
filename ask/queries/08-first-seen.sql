-- Signatures that were first seen since a time, with their first build: what is new. A signature that took over another one's crashes in a promotion is as old as that.
-- param since DateTime = 7d: first seen since
-- param first_build String = '': only signatures whose first build is this one or later
-- param product String = '': product; empty for all
-- param limit UInt32 = 50: rows at most
SELECT signature, first_seen, first_build, crashes
FROM
(
    SELECT c.signature AS signature, least(c.first, if(l.first IS NULL, c.first, l.first)) AS first_seen, c.build AS first_build, c.crashes AS crashes
    FROM
    (
        SELECT signature, min(received_at) AS first, minIf(build_id, build_id != '') AS build, count() AS crashes
        FROM aftershock.crashes
        WHERE {product:String} = '' OR product = {product:String}
        GROUP BY signature
    ) AS c
    LEFT JOIN (SELECT new_signature AS signature, min(toNullable(first_seen)) AS first FROM aftershock.lineage WHERE majority GROUP BY new_signature) AS l ON c.signature = l.signature
)
WHERE first_seen >= {since:DateTime} AND ({first_build:String} = '' OR first_build >= {first_build:String})
ORDER BY first_seen DESC, signature
LIMIT {limit:UInt32}
