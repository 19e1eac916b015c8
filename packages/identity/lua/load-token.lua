-- load-token: reads a refresh token. Redis's clock measures the time since its use, because Redis's clock
-- also recorded the use.
-- KEYS  record
-- reply {field, value, ...} of the record, seconds since its use or -1, 1 when its successor can be derived
--       again | nothing when the token is gone
local fields = redis.call('HGETALL', KEYS[1])
if #fields == 0 then return {} end
local consumed, salt = unpack(redis.call('HMGET', KEYS[1], 'consumed', 'salt'))
local age = consumed and tonumber(redis.call('TIME')[1]) - tonumber(consumed) or -1
return {fields, age, salt and 1 or 0}
