-- scenes: every code, in one look, so that none is missed because it moved meanwhile. As long as the pool is
-- large: some 30 bytes each.
-- KEYS  fresh, rested, busy
-- reply {scene, …}

local scenes = {}
for _, some in ipairs({
  redis.call('SMEMBERS', KEYS[1]), redis.call('SMEMBERS', KEYS[2]), redis.call('ZRANGE', KEYS[3], 0, -1),
}) do
  for _, scene in ipairs(some) do scenes[#scenes + 1] = scene end
end
return scenes
