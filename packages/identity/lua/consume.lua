-- consume: marks a record as used, with the moment (epoch seconds of Redis's clock); the first caller wins.
-- KEYS  record
-- reply 1 when this caller was the first | 0 when it was used before or is gone
local record = KEYS[1]
if redis.call('EXISTS', record) == 0 then return 0 end
return redis.call('HSETNX', record, 'consumed', redis.call('TIME')[1])
