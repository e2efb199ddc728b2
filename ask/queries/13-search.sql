-- Signatures in which a text occurs: in the signature, in the frames that signatures are made of (proto_signature), or in what the program said when it gave up. Case does not count.
-- param text String: the text
-- param from DateTime = 7d: begin of the time, as received
-- param to DateTime = now: its end
-- param product String = '': product; empty for all, != and a value for all but that
-- param limit UInt32 = 50: rows at most
-- chart bars signature crashes
SELECT signature, count() AS crashes, countIf(positionCaseInsensitive(signature, {text:String}) > 0) AS in_signature, countIf(positionCaseInsensitive(proto_signature, {text:String}) > 0) AS in_stack,
    countIf(positionCaseInsensitive(ifNull(moz_crash_reason, ''), {text:String}) > 0 OR positionCaseInsensitive(ifNull(abort_message, ''), {text:String}) > 0 OR positionCaseInsensitive(ifNull(assertion, ''), {text:String}) > 0) AS in_reason
FROM aftershock.crashes
WHERE day BETWEEN toDate({from:DateTime}) - 1 AND toDate({to:DateTime}) + 1 AND received_at >= {from:DateTime} AND received_at < {to:DateTime} AND ({product:String} = '' OR if(startsWith({product:String}, '!='), NOT has(splitByString('\n!=', substring({product:String}, 3)), product), product = {product:String}))
    AND (positionCaseInsensitive(signature, {text:String}) > 0 OR positionCaseInsensitive(proto_signature, {text:String}) > 0 OR positionCaseInsensitive(ifNull(moz_crash_reason, ''), {text:String}) > 0
        OR positionCaseInsensitive(ifNull(abort_message, ''), {text:String}) > 0 OR positionCaseInsensitive(ifNull(assertion, ''), {text:String}) > 0)
GROUP BY signature
ORDER BY crashes DESC, signature
LIMIT {limit:UInt32}
