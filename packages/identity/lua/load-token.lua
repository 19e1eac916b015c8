-- load-token: reads a refresh token. Redis's clock tells how long ago it was used, because it also wrote down
-- when.
-- KEYS  record
-- reply payload, seconds since its use or -1, 1 when its successor can be made again | nothing when it is
--       gone
local payload, consumed, salt = unpack(redis.call('HMGET', KEYS[1], 'payload', 'consumed', 'salt'))
if not payload then return {} end
local age = consumed and tonumber(redis.call('TIME')[1]) - tonumber(consumed) or -1
return {payload, age, salt and 1 or 0}
