-- resign: releases the lease to fill the pool.
-- KEYS  refiller
-- ARGV  holder
-- reply 1 released | 0 the caller no longer held it

if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
