-- swap: replaces the account keys, if they are still those that the caller has read.
-- KEYS  account_keys
-- ARGV  expected ('' for "not there"), replacement
-- reply 1 when replaced | 0 when another node was first
local present = redis.call('GET', KEYS[1]) or ''
if present ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2])
return 1
