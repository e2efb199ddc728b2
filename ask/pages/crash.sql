SELECT * FROM aftershock.crash_by_id WHERE crash_id = {crash_id:UUID}
UNION ALL
SELECT * FROM aftershock.ping_by_id WHERE crash_id = {crash_id:UUID}
