package replay

// Crashes with several revisions: the newest and the one before it. Only a result
// of a reprocess request has a revision above 0, so that few crashes are looked at.
const newestRevisions = `
SELECT a, b, differ, count() AS crashes, arrayMap(toString, groupArraySortedIf($examples)(crash, a != b)) AS examples, toUInt64(0) AS again
FROM (
    SELECT crash, argMin(digest, revision) AS a, argMax(digest, revision) AS b, uniqExact(symbols) > 1 AS differ
    FROM (
        SELECT crash, revision, symbols, if($range, $digest, 0) AS digest
        FROM aftershock.$signatures FINAL
        WHERE $a AND $days AND crash IN (SELECT crash FROM aftershock.$signatures WHERE $a AND $days AND revision > 0)
        ORDER BY crash, revision DESC LIMIT 2 BY crash
    )
    GROUP BY crash HAVING count() = 2
)
GROUP BY a, b, differ`
