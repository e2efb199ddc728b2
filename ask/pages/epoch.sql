-- The epoch of what is seen.
SELECT toInt64(max(epoch)) AS epoch
FROM aftershock.activation
