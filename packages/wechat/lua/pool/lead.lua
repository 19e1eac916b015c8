-- lead: takes or renews the lease to fill the pool (leader election).
-- KEYS  refiller
-- ARGV  holder, lease_ms
-- reply {1, lease_ms} the caller holds it | {0, left_ms} another node holds it

local refiller, holder, lease_ms = KEYS[1], ARGV[1], tonumber(ARGV[2])

local present = redis.call('GET', refiller)
if present and present ~= holder then return { 0, math.max(redis.call('PTTL', refiller), 0) } end
redis.call('SET', refiller, holder, 'PX', lease_ms)
return { 1, lease_ms }
