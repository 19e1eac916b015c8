-- choose-successor: stores the salt from which the successor of a refresh token is derived. The first
-- caller's salt counts for all callers.
-- KEYS  record
-- ARGV  salt
-- reply the salt that counts, and 1 when the token was used before | nothing when the token is gone
local record, salt = KEYS[1], ARGV[1]
if redis.call('EXISTS', record) == 0 then return {} end
redis.call('HSETNX', record, 'salt', salt)
return {redis.call('HGET', record, 'salt'), redis.call('HEXISTS', record, 'consumed')}
