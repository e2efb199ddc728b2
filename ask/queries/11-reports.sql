-- The crashes of a signature, newest first, page by page: the next page begins behind the last row of this one, however deep it is.
-- param signature String: the signature
-- param from DateTime = 28d: begin of the time, as received
-- param to DateTime = now: its end
-- param before_crash String = zzzzzzzz: crash id of the last row before, with its received_at as behind
-- param behind DateTime64(3) = 2106-01-01: received_at of the last row before
-- param limit UInt32 = 50: rows at most
SELECT crash_id, received_at, product, version, build_id, os_pretty_version, process_type, reason, address_kind, uptime, moz_crash_reason
FROM aftershock.crashes
WHERE signature = {signature:String} AND day BETWEEN toDate({from:DateTime}) - 1 AND toDate({to:DateTime}) + 1 AND received_at >= {from:DateTime} AND received_at < {to:DateTime}
    AND (received_at < {behind:DateTime64(3)} OR received_at = {behind:DateTime64(3)} AND toString(crash_id) < {before_crash:String})
ORDER BY received_at DESC, toString(crash_id) DESC
LIMIT {limit:UInt32}
