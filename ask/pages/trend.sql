-- Crashes a day of signatures that are one through promotions, by the name they had.
SELECT day, signature, count() AS crashes
FROM aftershock.crashes
WHERE signature IN ({signatures:Array(String)}) AND day BETWEEN toDate({from:DateTime64(3)}) - 1 AND toDate({to:DateTime64(3)}) + 1 AND received_at >= {from:DateTime64(3)} AND received_at < {to:DateTime64(3)}
    AND ({product:String} = '' OR product = {product:String}) AND ({channel:String} = '' OR channel = {channel:String})
    AND ({process_type:String} = '' OR process_type = {process_type:String}) AND ({os:String} = '' OR os = {os:String})
GROUP BY day, signature
ORDER BY day, crashes DESC, signature
