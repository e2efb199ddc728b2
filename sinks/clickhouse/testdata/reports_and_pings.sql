SELECT signature, reports, pings, round(reports_sent) AS reports_estimated, round(pings_sent) AS pings_estimated
FROM
(
    SELECT signature, count() AS reports, sum(1 / throttle_rate) AS reports_sent
    FROM aftershock.crashes
    WHERE received_at >= {from:DateTime64(3, 'UTC')} AND received_at < {to:DateTime64(3, 'UTC')} AND channel = {channel:String}
    GROUP BY signature
) AS r
FULL OUTER JOIN
(
    SELECT signature, count() AS pings, sum(1 / throttle_rate) AS pings_sent
    FROM aftershock.pings
    WHERE received_at >= {from:DateTime64(3, 'UTC')} AND received_at < {to:DateTime64(3, 'UTC')} AND channel = {channel:String}
    GROUP BY signature
) AS p USING (signature)
ORDER BY pings_estimated DESC, reports_estimated DESC, signature
