-- What became of signatures from one signature version to another: crashes that both made, by old and new signature where these differ.
-- param old UInt32: the version before
-- param new UInt32: the version after
-- param from DateTime = 28d: begin of the time, as received
-- param to DateTime = now: its end
-- param limit UInt32 = 50: rows at most
-- chart bars old_signature crashes
SELECT a.signature AS old_signature, b.signature AS new_signature, count() AS crashes
FROM (SELECT crash_id, signature FROM aftershock.crash_rows FINAL WHERE signature_version = {old:UInt32} AND day BETWEEN toDate({from:DateTime}) - 1 AND toDate({to:DateTime}) + 1 AND received_at >= {from:DateTime} AND received_at < {to:DateTime}) AS a
INNER JOIN (SELECT crash_id, signature FROM aftershock.crash_rows FINAL WHERE signature_version = {new:UInt32} AND day BETWEEN toDate({from:DateTime}) - 1 AND toDate({to:DateTime}) + 1 AND received_at >= {from:DateTime} AND received_at < {to:DateTime}) AS b ON a.crash_id = b.crash_id
WHERE old_signature != new_signature
GROUP BY old_signature, new_signature
ORDER BY crashes DESC, old_signature, new_signature
LIMIT {limit:UInt32}
