-- spend: takes a slice of a budget that all nodes share. The window begins with the first use.
-- KEYS  spent
-- ARGV  limit, window_ms, settled (spent already without asking), cost (what must fit), slice (what is taken
--       if there is so much)
-- reply {taken (0: the cost does not fit), ms until the budget is whole again}

local spent = KEYS[1]
local limit, window_ms, settled = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local cost, slice = tonumber(ARGV[4]), tonumber(ARGV[5])

local so_far = tonumber(redis.call('GET', spent) or 0) + settled
local taken = so_far + cost > limit and 0 or math.max(cost, math.min(slice, limit - so_far))
if settled + taken > 0 then
  redis.call('INCRBY', spent, settled + taken)
  if redis.call('PTTL', spent) < 0 then redis.call('PEXPIRE', spent, window_ms) end
end
local left = redis.call('PTTL', spent)
return { taken, left < 0 and window_ms or left }
