-- What users wrote about a signature, and the pages that were open. Protected: it needs a grant.
-- param signature String: the signature
-- param from DateTime = 7d: begin of the time, as received
-- param to DateTime = now: its end
-- param limit UInt32 = 50: rows at most
-- protected
SELECT c.crash_id AS crash_id, c.received_at AS received_at, c.version AS version, p.comments AS comments, p.url AS url
FROM (SELECT crash_id, received_at, version FROM aftershock.crashes WHERE signature = {signature:String} AND day BETWEEN toDate({from:DateTime}) - 1 AND toDate({to:DateTime}) + 1 AND received_at >= {from:DateTime} AND received_at < {to:DateTime}) AS c
INNER JOIN (SELECT crash_id, comments, url FROM aftershock_protected.crashes WHERE day BETWEEN toDate({from:DateTime}) - 1 AND toDate({to:DateTime}) + 1 AND received_at >= {from:DateTime} AND received_at < {to:DateTime} AND (comments IS NOT NULL OR url IS NOT NULL)) AS p ON c.crash_id = p.crash_id
ORDER BY received_at DESC, toString(crash_id) DESC
LIMIT {limit:UInt32}
