-- resign: gives the right to fill the pool back.
-- KEYS  refiller
-- ARGV  holder
-- reply 1 given back | 0 it was not the caller's any more

if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
