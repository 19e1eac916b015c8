-- renew: gives codes and the places they are in a new life.
-- KEYS  codes (prefix), fresh, rested, busy
-- ARGV  ttl_ms, scene…
-- reply how many of the codes are there

local ttl_ms = ARGV[1]
for place = 2, 4 do redis.call('PEXPIRE', KEYS[place], ttl_ms) end
local found = 0
for i = 2, #ARGV do found = found + redis.call('PEXPIRE', KEYS[1] .. ARGV[i], ttl_ms) end
return found
