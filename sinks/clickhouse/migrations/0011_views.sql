-- What many ask, as views: when a signature was first seen, and which symbols are missing.

-- A signature that took over most of another one's crashes in a promotion is as old as that,
-- and as what that had taken over before. What stayed as it was is no step: each promotion
-- has such pairs, and ways through them would double with each.
CREATE OR REPLACE VIEW aftershock.signature_first_seen AS
WITH RECURSIVE heirs AS
(
    SELECT new_signature AS signature, old_signature AS ancestor, epoch, min(first_seen) AS first_seen
    FROM aftershock.lineage
    WHERE majority AND old_signature != new_signature
    GROUP BY signature, ancestor, epoch
    UNION ALL
    SELECT h.signature AS signature, l.old_signature AS ancestor, l.epoch AS epoch, min(l.first_seen) AS first_seen
    FROM heirs AS h
    INNER JOIN aftershock.lineage AS l ON l.new_signature = h.ancestor
    WHERE l.majority AND l.old_signature != l.new_signature AND l.epoch < h.epoch
    GROUP BY signature, ancestor, epoch
)
SELECT c.product AS product, n.signature AS signature, c.signature_id AS signature_id, least(c.first, ifNull(l.first, c.first)) AS first_seen, c.build AS first_build, c.crashes AS crashes
FROM
(
    SELECT product, signature_id, min(received_at) AS first, minIf(build_id, build_id != '') AS build, count() AS crashes
    FROM aftershock.crashes
    GROUP BY product, signature_id
) AS c
ANY LEFT JOIN aftershock.signature_names AS n ON c.signature_id = n.signature_id
LEFT JOIN (SELECT signature, min(toNullable(first_seen)) AS first FROM heirs GROUP BY signature) AS l ON n.signature = l.signature;

-- A row is a crash that lacks a module's symbols, where the module is in the stack.
CREATE OR REPLACE VIEW aftershock.missing_symbols AS
WITH splitByChar('/', replaceAll(module, '\\/', '\0')) AS parts
SELECT day, received_at, crash_id, product, version, signature, signature_id, module, replaceAll(parts[1], '\0', '/') AS filename, parts[3] AS debug_id
FROM aftershock.crashes
ARRAY JOIN missing_symbols AS module;
