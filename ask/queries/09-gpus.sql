-- Graphics adapters by vendor, device and driver, with names, of a signature or of all.
-- param signature String = '': the signature; empty for all
-- param from DateTime = 7d: begin of the time, as received
-- param to DateTime = now: its end
-- param product String = '': product; empty for all, != and a value for all but that
-- param channel String = '': release channel; empty for all, != and a value for all but that
-- param process_type String = '': kind of process; empty for all, != and a value for all but that
-- param os String = '': system; empty for all, != and a value for all but that
-- param limit UInt32 = 50: rows at most
-- chart bars device crashes
SELECT ifNull(gpu_vendor, adapter_vendor_id) AS vendor, ifNull(gpu_device, adapter_device_id) AS device, adapter_driver_version AS driver, count() AS crashes, uniqExact(install_time) AS installs
FROM aftershock.crashes
WHERE day BETWEEN toDate({from:DateTime}) - 1 AND toDate({to:DateTime}) + 1 AND received_at >= {from:DateTime} AND received_at < {to:DateTime} AND adapter_vendor_id IS NOT NULL AND ({signature:String} = '' OR signature = {signature:String})
    AND ({product:String} = '' OR if(startsWith({product:String}, '!='), NOT has(splitByString('\n!=', substring({product:String}, 3)), product), product = {product:String})) AND ({channel:String} = '' OR if(startsWith({channel:String}, '!='), NOT has(splitByString('\n!=', substring({channel:String}, 3)), channel), channel = {channel:String}))
    AND ({process_type:String} = '' OR if(startsWith({process_type:String}, '!='), NOT has(splitByString('\n!=', substring({process_type:String}, 3)), process_type), process_type = {process_type:String})) AND ({os:String} = '' OR if(startsWith({os:String}, '!='), NOT has(splitByString('\n!=', substring({os:String}, 3)), os), os = {os:String}))
GROUP BY vendor, device, driver
ORDER BY crashes DESC, vendor, device, driver
LIMIT {limit:UInt32}
