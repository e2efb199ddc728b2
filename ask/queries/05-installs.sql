-- How many installations crash, by version: crashes, installations and crashes an installation, of a signature or of all.
-- An installation is what install_time tells apart; crashes without one are not in installs.
-- param signature String = '': the signature; empty for all
-- param from DateTime = 7d: begin of the time, as received
-- param to DateTime = now: its end
-- param product String = '': product; empty for all
-- param channel String = '': release channel; empty for all
-- param process_type String = '': kind of process; empty for all
-- param os String = '': system; empty for all
-- chart bars version installs
SELECT product, version, count() AS crashes, uniqExact(install_time) AS installs, round(countIf(install_time IS NOT NULL) / nullIf(installs, 0), 2) AS crashes_per_install
FROM aftershock.crashes
WHERE day BETWEEN toDate({from:DateTime}) - 1 AND toDate({to:DateTime}) + 1 AND received_at >= {from:DateTime} AND received_at < {to:DateTime} AND ({signature:String} = '' OR signature = {signature:String})
    AND ({product:String} = '' OR product = {product:String}) AND ({channel:String} = '' OR channel = {channel:String})
    AND ({process_type:String} = '' OR process_type = {process_type:String}) AND ({os:String} = '' OR os = {os:String})
GROUP BY product, version
ORDER BY crashes DESC, product, version
