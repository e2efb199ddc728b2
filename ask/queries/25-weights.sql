-- How many crashes there were, and not how many were kept: counts by product, channel and rule of the door, each crash weighed with 1 / throttle_rate. What rules deferred altogether is not in it: aftershock.deferred counts that by day and rule.
-- param from DateTime = 7d: begin of the time, as received
-- param to DateTime = now: its end
-- chart bars throttle_rule estimated
SELECT product, channel, throttle_rule, throttle_rate, count() AS kept, round(sum(1 / throttle_rate)) AS estimated
FROM aftershock.crashes
WHERE day BETWEEN toDate({from:DateTime}) - 1 AND toDate({to:DateTime}) + 1 AND received_at >= {from:DateTime} AND received_at < {to:DateTime}
GROUP BY product, channel, throttle_rule, throttle_rate
ORDER BY estimated DESC, product, channel, throttle_rule
