-- swap: replaces the ring of signing keys only when it is still the one the caller has read, and with it what
-- is known of them.
-- KEYS  ring, known
-- ARGV  expected ('' for "not there"), replacement, known
-- reply 1 when replaced | 0 when somebody else was first
local ring, known = KEYS[1], KEYS[2]
local expected, replacement, known_now = ARGV[1], ARGV[2], ARGV[3]
local present = redis.call('GET', ring) or ''
if present ~= expected then return 0 end
redis.call('SET', ring, replacement)
redis.call('SET', known, known_now)
return 1
