-- ended: marks sessions as over that were marked as being ended. The mark stays on the list as long as the
-- login that began the session can be repeated.
-- KEYS  sessions
-- ARGV  keep_ms, sid, ...
-- reply {sid, ...} of the sessions that this call ended
local sessions, keep_ms = KEYS[1], tonumber(ARGV[1])
local time = redis.call('TIME')
local mark = 'ended:' .. string.format('%d', time[1] * 1000 + math.floor(time[2] / 1000) + keep_ms)
local ended = {}
for i = 2, #ARGV do
  if redis.call('HGET', sessions, ARGV[i]) == '' then
    redis.call('HSET', sessions, ARGV[i], mark)
    ended[#ended + 1] = ARGV[i]
  end
end
if #ended == 0 then return ended end
local all = redis.call('HGETALL', sessions)
for i = 2, #all, 2 do
  if string.sub(all[i], 1, 6) ~= 'ended:' then return ended end
end
-- No entry is left but these marks, and this mark is the youngest.
redis.call('PEXPIRE', sessions, keep_ms)
return ended
