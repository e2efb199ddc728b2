-- How sure a frame is: why its name may be wrong, and how likely it is a true one. Lines of
-- releases before have an empty text and 0, as many as there are lines.
ALTER TABLE aftershock.crash_rows
    ADD COLUMN IF NOT EXISTS `stack.doubt` Array(LowCardinality(String)) CODEC(ZSTD(1)) AFTER `stack.trust`,
    ADD COLUMN IF NOT EXISTS `stack.probability` Array(Float64) CODEC(ZSTD(1)) AFTER `stack.doubt`;

ALTER TABLE aftershock.ping_rows
    ADD COLUMN IF NOT EXISTS `stack.doubt` Array(LowCardinality(String)) CODEC(ZSTD(1)) AFTER `stack.trust`,
    ADD COLUMN IF NOT EXISTS `stack.probability` Array(Float64) CODEC(ZSTD(1)) AFTER `stack.doubt`;

-- A view shows the columns that there were when it was made.
CREATE OR REPLACE VIEW aftershock.crashes AS
WITH
(
    SELECT (ranges, arrayFilter(d -> arrayExists(r -> r.signature_version = d.1 AND r.from <= d.3 AND d.4 < r.to, ranges), days))
    FROM
    (
        SELECT (SELECT argMax(ranges, epoch) FROM aftershock.activation) AS ranges,
            (
                SELECT groupArray((signature_version, day, least(f, toDateTime64(day, 3, 'UTC') - toIntervalDay(1)), greatest(l, toDateTime64(day, 3, 'UTC') + toIntervalDay(2))))
                FROM (SELECT signature_version, day, min(first) AS f, max(last) AS l FROM aftershock.days GROUP BY signature_version, day)
            ) AS days
    )
) AS seen
SELECT * EXCEPT (ver) REPLACE (lower(hex(content_hash)) AS content_hash), arrayStringConcat(proto_functions, ' | ') AS proto_signature
FROM aftershock.crash_rows FINAL
WHERE (signature_version, day) IN (SELECT tupleElement(arrayJoin(tupleElement(seen, 2)) AS d, 1), tupleElement(d, 2))
UNION ALL
WITH
(
    SELECT (ranges, arrayFilter(d -> arrayExists(r -> r.signature_version = d.1 AND r.from <= d.3 AND d.4 < r.to, ranges), days))
    FROM
    (
        SELECT (SELECT argMax(ranges, epoch) FROM aftershock.activation) AS ranges,
            (
                SELECT groupArray((signature_version, day, least(f, toDateTime64(day, 3, 'UTC') - toIntervalDay(1)), greatest(l, toDateTime64(day, 3, 'UTC') + toIntervalDay(2))))
                FROM (SELECT signature_version, day, min(first) AS f, max(last) AS l FROM aftershock.days GROUP BY signature_version, day)
            ) AS days
    )
) AS seen
SELECT * EXCEPT (ver) REPLACE (lower(hex(content_hash)) AS content_hash), arrayStringConcat(proto_functions, ' | ') AS proto_signature
FROM aftershock.crash_rows FINAL
WHERE has(tupleElement(tupleElement(seen, 1), 'signature_version'), signature_version)
  AND (signature_version, day) NOT IN (SELECT tupleElement(arrayJoin(tupleElement(seen, 2)) AS d, 1), tupleElement(d, 2))
  AND arrayExists(r -> r.signature_version = signature_version AND r.from <= received_at AND received_at < r.to, tupleElement(seen, 1));

CREATE OR REPLACE VIEW aftershock.pings AS
WITH
(
    SELECT (ranges, arrayFilter(d -> arrayExists(r -> r.signature_version = d.1 AND r.from <= d.3 AND d.4 < r.to, ranges), days))
    FROM
    (
        SELECT (SELECT argMax(ranges, epoch) FROM aftershock.activation) AS ranges,
            (
                SELECT groupArray((signature_version, day, least(f, toDateTime64(day, 3, 'UTC') - toIntervalDay(1)), greatest(l, toDateTime64(day, 3, 'UTC') + toIntervalDay(2))))
                FROM (SELECT signature_version, day, min(first) AS f, max(last) AS l FROM aftershock.days GROUP BY signature_version, day)
            ) AS days
    )
) AS seen
SELECT * EXCEPT (ver) REPLACE (lower(hex(content_hash)) AS content_hash), arrayStringConcat(proto_functions, ' | ') AS proto_signature
FROM aftershock.ping_rows FINAL
WHERE (signature_version, day) IN (SELECT tupleElement(arrayJoin(tupleElement(seen, 2)) AS d, 1), tupleElement(d, 2))
UNION ALL
WITH
(
    SELECT (ranges, arrayFilter(d -> arrayExists(r -> r.signature_version = d.1 AND r.from <= d.3 AND d.4 < r.to, ranges), days))
    FROM
    (
        SELECT (SELECT argMax(ranges, epoch) FROM aftershock.activation) AS ranges,
            (
                SELECT groupArray((signature_version, day, least(f, toDateTime64(day, 3, 'UTC') - toIntervalDay(1)), greatest(l, toDateTime64(day, 3, 'UTC') + toIntervalDay(2))))
                FROM (SELECT signature_version, day, min(first) AS f, max(last) AS l FROM aftershock.days GROUP BY signature_version, day)
            ) AS days
    )
) AS seen
SELECT * EXCEPT (ver) REPLACE (lower(hex(content_hash)) AS content_hash), arrayStringConcat(proto_functions, ' | ') AS proto_signature
FROM aftershock.ping_rows FINAL
WHERE has(tupleElement(tupleElement(seen, 1), 'signature_version'), signature_version)
  AND (signature_version, day) NOT IN (SELECT tupleElement(arrayJoin(tupleElement(seen, 2)) AS d, 1), tupleElement(d, 2))
  AND arrayExists(r -> r.signature_version = signature_version AND r.from <= received_at AND received_at < r.to, tupleElement(seen, 1));

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
