-- scenes: lists all codes in one call, so that a code that moves meanwhile is not missed. The reply has some
-- 30 bytes per code.
-- KEYS  fresh, rested, busy
-- reply {scene, …}

local scenes = {}
for _, some in ipairs({
  redis.call('SMEMBERS', KEYS[1]), redis.call('SMEMBERS', KEYS[2]), redis.call('ZRANGE', KEYS[3], 0, -1),
}) do
  for _, scene in ipairs(some) do scenes[#scenes + 1] = scene end
end
return scenes
