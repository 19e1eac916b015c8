-- consume: marks a record as used, with the time (epoch seconds, Redis's clock). The first caller wins.
-- KEYS  record
-- ARGV  keep_seconds (what it still lives at most, 0 for as long as before)
-- reply 1 when this caller was the first | 0 when the record was used before or is gone
local record, keep_seconds = KEYS[1], tonumber(ARGV[1])
if redis.call('EXISTS', record) == 0 then return 0 end
local first = redis.call('HSETNX', record, 'consumed', redis.call('TIME')[1])
if first == 1 and keep_seconds > 0 then redis.call('EXPIRE', record, keep_seconds, 'LT') end
return first
