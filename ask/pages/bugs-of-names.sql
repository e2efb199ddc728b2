-- Bugs of the names that a signature had.
SELECT bug, signature AS old_signature, state, summary
FROM aftershock.bugs
WHERE signature IN ({signatures:Array(String)})
ORDER BY indexOf({signatures:Array(String)}, signature), bug
LIMIT 200
