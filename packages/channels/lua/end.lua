-- end: announces that a session of a person, all of them, or all but one, have ended, and remembers it for
-- nodes that miss the announcement. It also runs in a full Redis, so what it writes is bounded: above `most`
-- entries, one entry for all sessions replaces them, and every session has to be looked up.
-- KEYS  ends, live
-- ARGV  sid ('' for all), id (unique to this end), ms, most, keep (the session that goes on, '' for none),
--       told (the end in JSON if there is more to say than the sid, else '')
-- reply 1

-- Marks that live no longer are not looked through.
local USUAL_MS = 3600000
local ends, live = KEYS[1], KEYS[2]
local sid, id, ms, most, keep, told = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5], ARGV[6]

-- An end that is remembered for longer stays remembered.
local left = redis.call('PTTL', ends)
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
local remembered = sid
-- What is remembered of all sessions and of the one that goes on, before room is made.
local all = redis.call('HGET', ends, '')
local own = keep ~= '' and redis.call('HGET', ends, keep)
if redis.call('HLEN', ends) >= most and redis.call('HEXISTS', ends, sid) == 0 then
  redis.call('DEL', ends)
  remembered = ''
  if own then redis.call('HSET', ends, keep, own) end
end
-- The mark of an end: when it was, in seconds since 1970, and its id. `ends.ts` reads it.
local mark = string.format('%d.%s', now, id)
if keep ~= '' then
  -- The session that goes on is not held to the new end of all, but it still is to the one before. Its name
  -- comes last, because it may hold any character.
  local before = '-'
  if all then
    local last, sparedBy, spared = string.match(all, '^(%S+) (%S+) (.+)$')
    if spared == keep then before = sparedBy else before = last or all end
  end
  mark = mark .. ' ' .. before .. ' ' .. keep
end
redis.call('HSET', ends, remembered, mark)
redis.call('PEXPIRE', ends, math.max(left, ms))
if told ~= '' then redis.call('SPUBLISH', live, 'E' .. told) end
-- A node that does not know the form above cannot spare a session.
if keep == '' then redis.call('SPUBLISH', live, 'e' .. sid) end
return 1
