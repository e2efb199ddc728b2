-- Signatures that were first seen since a time, with their first build: what is new. A signature that took over another one's crashes in a promotion is as old as that.
-- param since DateTime = 7d: first seen since
-- param first_build String = '': only signatures whose first build is this one or later
-- param product String = '': product; empty for all, != and a value for all but that
-- param limit UInt32 = 50: rows at most
SELECT signature, min(first_seen) AS first_seen, minIf(first_build, first_build != '') AS first_build, sum(crashes) AS crashes
FROM aftershock.signature_first_seen
WHERE {product:String} = '' OR if(startsWith({product:String}, '!='), NOT has(splitByString('\n!=', substring({product:String}, 3)), product), product = {product:String})
GROUP BY signature
HAVING first_seen >= {since:DateTime} AND ({first_build:String} = '' OR first_build >= {first_build:String})
ORDER BY first_seen DESC, signature
LIMIT {limit:UInt32}
