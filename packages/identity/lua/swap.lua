-- swap: replaces a value only when it is still the one the caller has read.
-- KEYS  value
-- ARGV  expected ('' for "not there yet"), replacement
-- reply 1 when replaced | 0 when somebody else was first
local value, expected, replacement = KEYS[1], ARGV[1], ARGV[2]
local present = redis.call('GET', value) or ''
if present ~= expected then return 0 end
redis.call('SET', value, replacement)
return 1
