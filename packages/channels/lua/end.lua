-- end: announces that a session of a person, or all of them, has ended, and remembers it for nodes that miss
-- the announcement. It also runs in a full Redis, so what it writes is bounded: above `most` entries, one
-- entry for all sessions replaces them, and every session has to be looked up.
-- KEYS  ends, live
-- ARGV  sid ('' for all), id (unique to this end), ms, most
-- reply 1

-- Marks that live no longer are not looked through.
local USUAL_MS = 3600000
local ends, live = KEYS[1], KEYS[2]
local sid, id, ms, most = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])

-- An end that is remembered for longer stays remembered.
local left = redis.call('PTTL', ends)
local remembered = sid
if redis.call('HLEN', ends) >= most and redis.call('HEXISTS', ends, sid) == 0 then
  redis.call('DEL', ends)
  remembered = ''
end
local now = math.floor(now_ms() / 1000)
if ms > USUAL_MS then
  -- All marks live as long as the newest. Those whose time is over are removed. Those of a former version say
  -- no time, so they would end whatever begins later: they get that of now.
  local marks = redis.call('HGETALL', ends)
  for i = 1, #marks, 2 do
    local at = tonumber(string.match(marks[i + 1], '^(%d+)%.'))
    if not at then
      redis.call('HSET', ends, marks[i], string.format('%d.%s', now, marks[i + 1]))
    elseif at < now - ms / 1000 then
      redis.call('HDEL', ends, marks[i])
    end
  end
end
-- The mark of an end: when it was, in seconds since 1970, and its id.
redis.call('HSET', ends, remembered, string.format('%d.%s', now, id))
redis.call('PEXPIRE', ends, math.max(left, ms))
redis.call('SPUBLISH', live, 'e' .. sid)
return 1
