-- Crashes a day of signatures that are one through promotions, by the name they had.
SELECT day, signature, count() AS crashes
FROM aftershock.crashes
WHERE signature IN ({signatures:Array(String)}) AND day BETWEEN toDate({from:DateTime64(3)}) - 1 AND toDate({to:DateTime64(3)}) + 1 AND received_at >= {from:DateTime64(3)} AND received_at < {to:DateTime64(3)}
    AND ({product:String} = '' OR if(startsWith({product:String}, '!='), NOT has(splitByString('\n!=', substring({product:String}, 3)), product), product = {product:String})) AND ({channel:String} = '' OR if(startsWith({channel:String}, '!='), NOT has(splitByString('\n!=', substring({channel:String}, 3)), channel), channel = {channel:String}))
    AND ({process_type:String} = '' OR if(startsWith({process_type:String}, '!='), NOT has(splitByString('\n!=', substring({process_type:String}, 3)), process_type), process_type = {process_type:String})) AND ({os:String} = '' OR if(startsWith({os:String}, '!='), NOT has(splitByString('\n!=', substring({os:String}, 3)), os), os = {os:String}))
GROUP BY day, signature
ORDER BY day, crashes DESC, signature
