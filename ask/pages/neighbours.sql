-- The crashes around one, in the order of their reception, among those of its signature; and
-- the one to begin with: no module of its stack lacks symbols, the stack is not of one frame
-- alone, and it is the newest such. That is looked for on the newest days that have enough
-- crashes together, for the stacks of all take most of the time.
WITH mine AS
(
    SELECT crash_id, day, (received_at, toString(crash_id)) AS at, missing_symbols, proto_functions
    FROM aftershock.crashes
    WHERE signature = {signature:String} AND day BETWEEN toDate({from:DateTime64(3)}) - 1 AND toDate({to:DateTime64(3)}) + 1 AND received_at >= {from:DateTime64(3)} AND received_at < {to:DateTime64(3)}
        AND ({product:String} = '' OR if(startsWith({product:String}, '!='), NOT has(splitByString('\n!=', substring({product:String}, 3)), product), product = {product:String})) AND ({channel:String} = '' OR if(startsWith({channel:String}, '!='), NOT has(splitByString('\n!=', substring({channel:String}, 3)), channel), channel = {channel:String}))
        AND ({process_type:String} = '' OR if(startsWith({process_type:String}, '!='), NOT has(splitByString('\n!=', substring({process_type:String}, 3)), process_type), process_type = {process_type:String})) AND ({os:String} = '' OR if(startsWith({os:String}, '!='), NOT has(splitByString('\n!=', substring({os:String}, 3)), os), os = {os:String}))
),
(
    SELECT min(day)
    FROM (SELECT day, sum(crashes) OVER (ORDER BY day DESC) - crashes AS newer FROM (SELECT day, count() AS crashes FROM mine GROUP BY day))
    WHERE newer < {enough:UInt64}
) AS lately,
(
    SELECT toString(argMax(crash_id, (-toInt64(length(missing_symbols)), length(proto_functions) > 1, at)))
    FROM mine
    WHERE day >= lately
) AS best
SELECT count() AS crashes, countIf(at < this) AS before,
    toString(argMin(crash_id, at)) AS first, toString(argMax(crash_id, at)) AS last,
    if(countIf(at < this) = 0, '', toString(argMaxIf(crash_id, at, at < this))) AS previous,
    if(countIf(at > this) = 0, '', toString(argMinIf(crash_id, at, at > this))) AS next,
    any(best) AS recommended, countIf(at = this) AS here
FROM (SELECT crash_id, at, ({received:DateTime64(3)}, {crash_id:String}) AS this FROM mine)
