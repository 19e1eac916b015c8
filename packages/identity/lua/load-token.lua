-- load-token: reads a refresh token. Redis's clock measures the time since its use, because Redis's clock
-- also recorded the use.
-- KEYS  record
-- reply payload, seconds since its use or -1, 1 when its successor can be derived again | nothing when the
--       token is gone
local payload, consumed, salt = unpack(redis.call('HMGET', KEYS[1], 'payload', 'consumed', 'salt'))
if not payload then return {} end
local age = consumed and tonumber(redis.call('TIME')[1]) - tonumber(consumed) or -1
return {payload, age, salt and 1 or 0}
