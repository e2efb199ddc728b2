-- One crash, by its id: SELECT … FROM aftershock.crash_by_id WHERE crash_id = '…'. Of one row it
-- costs nothing to ask whether it is seen, so there is neither a second part to plan nor the
-- list of days to read: of a crash the plan of two parts takes longer than the row.
CREATE OR REPLACE VIEW aftershock.crash_by_id AS
WITH (SELECT argMax(ranges, epoch) FROM aftershock.activation) AS active
SELECT * EXCEPT (ver) REPLACE (lower(hex(content_hash)) AS content_hash), arrayStringConcat(proto_functions, ' | ') AS proto_signature
FROM aftershock.crash_rows FINAL
WHERE has(tupleElement(active, 'signature_version'), signature_version)
  AND arrayExists(r -> r.signature_version = signature_version AND r.from <= received_at AND received_at < r.to, active);

CREATE OR REPLACE VIEW aftershock.ping_by_id AS
WITH (SELECT argMax(ranges, epoch) FROM aftershock.activation) AS active
SELECT * EXCEPT (ver) REPLACE (lower(hex(content_hash)) AS content_hash), arrayStringConcat(proto_functions, ' | ') AS proto_signature
FROM aftershock.ping_rows FINAL
WHERE has(tupleElement(active, 'signature_version'), signature_version)
  AND arrayExists(r -> r.signature_version = signature_version AND r.from <= received_at AND received_at < r.to, active);

CREATE OR REPLACE VIEW aftershock_protected.crash_by_id AS
WITH (SELECT argMax(ranges, epoch) FROM aftershock.activation) AS active
SELECT * EXCEPT (ver)
FROM aftershock_protected.crash_rows FINAL
WHERE has(tupleElement(active, 'signature_version'), signature_version)
  AND arrayExists(r -> r.signature_version = signature_version AND r.from <= received_at AND received_at < r.to, active);

CREATE OR REPLACE VIEW aftershock_protected.ping_by_id AS
WITH (SELECT argMax(ranges, epoch) FROM aftershock.activation) AS active
SELECT * EXCEPT (ver)
FROM aftershock_protected.ping_rows FINAL
WHERE has(tupleElement(active, 'signature_version'), signature_version)
  AND arrayExists(r -> r.signature_version = signature_version AND r.from <= received_at AND received_at < r.to, active);
