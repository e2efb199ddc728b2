-- What each epoch made visible, from when on.
SELECT toInt64(epoch) AS epoch, arrayMap(r -> toUInt32(r.signature_version), ranges) AS versions, arrayMap(r -> r.from, ranges) AS begins
FROM aftershock.activation FINAL
ORDER BY epoch DESC
LIMIT 100
