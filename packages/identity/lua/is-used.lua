-- is-used: whether a session's refresh token was used (see mark-used).
-- KEYS  used
-- ARGV  mark
-- reply 1 | 0
local used, mark = redis.call('GET', KEYS[1]) or '', ARGV[1]
local at = 1
while true do
  at = string.find(used, mark, at, true)
  if not at then return 0 end
  if (at - 1) % #mark == 0 then return 1 end
  at = at + 1
end
