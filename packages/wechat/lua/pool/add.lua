-- add: adds a fresh code.
-- KEYS  code, fresh, rested, run
-- ARGV  scene, image, type, sha256, ttl_ms
-- reply 1 added | 0 the scene is known, and stays as it is

local key, fresh, rested, run = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local scene, image, type, sha256, ttl_ms = ARGV[1], ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5])

distrust_after_restart(run, fresh, rested, ttl_ms)
if redis.call('EXISTS', key) == 1 then return 0 end
redis.call('HSET', key, 'image', image, 'type', type, 'sha256', sha256, 'madeAt', now_ms(), 'epoch', 0)
redis.call('PEXPIRE', key, ttl_ms)
redis.call('SADD', fresh, scene)
redis.call('PEXPIRE', fresh, ttl_ms)
return 1
