-- stock: counts the codes, after releasing those whose quarantine is over.
-- KEYS  codes (prefix), fresh, rested, busy, run
-- ARGV  leases, due (how many to release), ttl_ms
-- reply {fresh, rested, busy}; codes that have used up their leases are in none of the three

local codes, fresh, rested, busy, run = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local leases, due, ttl_ms = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])

distrust_after_restart(run, fresh, rested, ttl_ms)
release_due(codes, rested, busy, leases, now_ms(), due, ttl_ms)
return { redis.call('SCARD', fresh), redis.call('SCARD', rested), redis.call('ZCOUNT', busy, '-inf', '(' .. NEVER) }
