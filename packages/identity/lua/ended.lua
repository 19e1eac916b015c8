-- ended: sessions of a person that were marked as being ended are over. That stays on the list for as long as
-- the login that began one may be asked for again.
-- KEYS  sessions
-- ARGV  keep_ms, sid, ...
-- reply {sid, ...} of those that this call ended
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
-- Nothing else is left, and this one is the youngest.
redis.call('PEXPIRE', sessions, keep_ms)
return ended
