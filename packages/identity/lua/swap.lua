-- swap: replaces the ring of signing keys, and the list of known keys, if the ring is still the one that the
-- caller has read.
-- KEYS  ring, known
-- ARGV  expected ('' for "not there"), replacement, known
-- reply 1 when replaced | 0 when another node was first
local ring, known = KEYS[1], KEYS[2]
local expected, replacement, known_now = ARGV[1], ARGV[2], ARGV[3]
local present = redis.call('GET', ring) or ''
if present ~= expected then return 0 end
redis.call('SET', ring, replacement)
redis.call('SET', known, known_now)
return 1
