-- Bugs and the signatures they are about, with how often each crashed lately; a signature with no crash is perhaps fixed. Bugs come in with aftershock bugs import.
-- param bug String = '': the bug; empty for all
-- param signature String = '': the signature; empty for all
-- param from DateTime = 7d: begin of the time, as received
-- param to DateTime = now: its end
-- param limit UInt32 = 50: rows at most
SELECT b.bug AS bug, b.signature AS signature, b.state AS state, b.summary AS summary, c.crashes AS crashes, c.installs AS installs, c.last AS last_crash
FROM (SELECT * FROM aftershock.bugs WHERE ({bug:String} = '' OR bug = {bug:String}) AND ({signature:String} = '' OR signature = {signature:String})) AS b
LEFT JOIN
(
    SELECT toString(signature) AS signature, count() AS crashes, uniqExact(install_time) AS installs, max(toNullable(received_at)) AS last
    FROM aftershock.crashes
    WHERE day BETWEEN toDate({from:DateTime}) - 1 AND toDate({to:DateTime}) + 1 AND received_at >= {from:DateTime} AND received_at < {to:DateTime}
    GROUP BY signature
) AS c ON b.signature = c.signature
ORDER BY crashes DESC, bug, signature
LIMIT {limit:UInt32}
