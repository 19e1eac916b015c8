-- consume: marks a record as used; the first caller wins.
-- KEYS  record
-- ARGV  used_at (epoch seconds, stored for the log only)
-- reply 1 when this caller was the first | 0 when it was used before or is gone
local record, used_at = KEYS[1], ARGV[1]
if redis.call('EXISTS', record) == 0 then return 0 end
return redis.call('HSETNX', record, 'consumed', used_at)
