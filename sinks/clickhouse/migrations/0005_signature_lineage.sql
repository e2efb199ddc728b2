-- What promotions made of signatures, for crashes that both versions have: rows are
-- there for a signature that is another one now, or several, or that others became.
-- A promotion may be stored several times (its operator was killed): each time is
-- a batch, a higher number, which counts when its last row has come, the one with
-- both signatures empty, crashes 0 and complete 1. Of an epoch the last such batch
-- counts.
CREATE TABLE IF NOT EXISTS aftershock.signature_lineage
(
    epoch UInt64,
    batch UInt64,
    from_version UInt32,
    to_version UInt32,
    old_signature String,
    new_signature String,
    crashes UInt64,
    -- Most of the crashes of old_signature have this new_signature.
    majority UInt8,
    -- When the first crash with old_signature in from_version was received.
    first_seen DateTime64(3, 'UTC'),
    complete UInt8
)
ENGINE = ReplacingMergeTree
ORDER BY (epoch, batch, from_version, to_version, old_signature, new_signature, complete);

-- The lineage that counts.
CREATE VIEW IF NOT EXISTS aftershock.lineage AS
SELECT epoch, from_version, to_version, old_signature, new_signature, crashes, majority, first_seen
FROM aftershock.signature_lineage FINAL
WHERE complete = 0
    AND (epoch, batch) IN (SELECT epoch, max(batch) FROM aftershock.signature_lineage WHERE complete = 1 GROUP BY epoch)
    AND epoch <= (SELECT max(epoch) FROM aftershock.activation);
