-- The crashes around one, in the order of their reception, among those of its signature; and
-- the one to begin with: no module of its stack lacks symbols, the stack is not of one frame
-- alone, and it is the newest such.
SELECT count() AS crashes, countIf(at < this) AS before,
    toString(argMin(crash_id, at)) AS first, toString(argMax(crash_id, at)) AS last,
    if(countIf(at < this) = 0, '', toString(argMaxIf(crash_id, at, at < this))) AS previous,
    if(countIf(at > this) = 0, '', toString(argMinIf(crash_id, at, at > this))) AS next,
    toString(argMax(crash_id, (-lacking, deep, at))) AS recommended, countIf(at = this) AS here
FROM
(
    SELECT crash_id, (received_at, toString(crash_id)) AS at, ({received:DateTime64(3)}, {crash_id:String}) AS this, toInt64(length(missing_symbols)) AS lacking, length(proto_functions) > 1 AS deep
    FROM aftershock.crashes
    WHERE signature = {signature:String} AND day BETWEEN toDate({from:DateTime64(3)}) - 1 AND toDate({to:DateTime64(3)}) + 1 AND received_at >= {from:DateTime64(3)} AND received_at < {to:DateTime64(3)}
    AND ({product:String} = '' OR if(startsWith({product:String}, '!='), NOT has(splitByString('\n!=', substring({product:String}, 3)), product), product = {product:String})) AND ({channel:String} = '' OR if(startsWith({channel:String}, '!='), NOT has(splitByString('\n!=', substring({channel:String}, 3)), channel), channel = {channel:String}))
    AND ({process_type:String} = '' OR if(startsWith({process_type:String}, '!='), NOT has(splitByString('\n!=', substring({process_type:String}, 3)), process_type), process_type = {process_type:String})) AND ({os:String} = '' OR if(startsWith({os:String}, '!='), NOT has(splitByString('\n!=', substring({os:String}, 3)), os), os = {os:String}))
)
