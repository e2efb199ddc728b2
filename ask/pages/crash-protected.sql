SELECT * FROM aftershock_protected.crash_by_id WHERE crash_id = {crash_id:UUID}
UNION ALL
SELECT * FROM aftershock_protected.ping_by_id WHERE crash_id = {crash_id:UUID}
