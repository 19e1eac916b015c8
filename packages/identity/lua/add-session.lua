-- add-session: adds a session to its person's list, unless that session was ended, or all sessions of the
-- person were ended since its login was scanned. The list lives as long as its youngest session may live.
-- KEYS  sessions, last_end
-- ARGV  sid, entry, ttl_seconds, scanned_after (the last end when the login was scanned, '' for none, '?'
--       when it is not known), dated (1: add the time, for the order of the list)
-- reply the length of the list, recently ended sessions included | 0 when this session has ended or is being
--       ended | -1 when all sessions were ended in the meantime
local sessions, last_end = KEYS[1], KEYS[2]
local sid, entry, ttl_seconds, scanned_after, dated = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5] == '1'
local present = redis.call('HGET', sessions, sid)
if present and string.sub(present, 1, 1) ~= '{' then return 0 end
-- An older node checks that its own entry is unchanged. It takes any other text for an end.
if not present then
  local ended = redis.call('GET', last_end)
  if ended and scanned_after ~= '?' and ended ~= scanned_after then return -1 end
  if dated then
    local time = redis.call('TIME')
    local ms = time[1] * 1000 + math.floor(time[2] / 1000)
    -- The newest, also after a failover to a clock that is late.
    local all = redis.call('HGETALL', sessions)
    for i = 2, #all, 2 do
      ms = math.max(ms, 1 + (tonumber(string.match(all[i], ',"at":(%d+)}$')) or 0))
    end
    entry = string.sub(entry, 1, -2) .. string.format(',"at":%d}', ms)
  end
  redis.call('HSET', sessions, sid, entry)
end
redis.call('EXPIRE', sessions, ttl_seconds)
return redis.call('HLEN', sessions)
