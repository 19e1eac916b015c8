-- end-all: ends all sessions on a person's list but one, and every login in progress. Sessions are marked as
-- being ended. The new `last_end` makes `add-session` refuse a login that was scanned before it. Both are one
-- step, so a login is either listed and marked, or comes later and is refused.
-- KEYS  sessions, last_end
-- ARGV  mark (unique to this end), keep_ms, keep ('' for none)
-- reply {{sid, ...} that were marked before, {sid, ...} that this call marked}
local sessions, last_end = KEYS[1], KEYS[2]
local mark, keep_ms, keep = ARGV[1], ARGV[2], ARGV[3]
redis.call('SET', last_end, mark, 'PX', keep_ms)
local before, now = {}, {}
local all = redis.call('HGETALL', sessions)
for i = 1, #all, 2 do
  local sid, entry = all[i], all[i + 1]
  if sid ~= keep and entry == '' then
    before[#before + 1] = sid
  elseif sid ~= keep and string.sub(entry, 1, 6) ~= 'ended:' then
    redis.call('HSET', sessions, sid, '')
    now[#now + 1] = sid
  end
end
return { before, now }
