-- append: adds entries to a part, in the order in which they are given, and lists each with its person.
-- KEYS  part, batch (what this process added last)
-- ARGV  number of the batch (each is higher than the one before), most (entries of the part), keep_ms,
--       most_own (entries of one person), most_places (sessions of one person), owns, places, erased, onces
--       (prefixes of keys in this slot), then for each entry: age_ms, kind, person, owner (hash of the
--       person; empty without one), open, sealed, session (empty: its network does not matter), networks (the
--       present one first, under each secret), once (empty: always), once_ms
-- reply one letter for each entry: "1" written | "0" not wanted; or "AGAIN" when the batch is there already

local part, last = KEYS[1], KEYS[2]
local batch, most, keep_ms, most_own, most_places = unpack(ARGV, 1, 5)
local owns, places, erased, onces = unpack(ARGV, 6, 9)
keep_ms, most_own, most_places = tonumber(keep_ms), tonumber(most_own), tonumber(most_places)

-- It was sent before, on a connection that was lost before the reply.
if tonumber(redis.call('GET', last) or 0) >= tonumber(batch) then return 'AGAIN' end
-- A process repeats a batch for an hour at most.
redis.call('SET', last, batch, 'PX', 7200000)

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local SLACK_MS = 5000

-- The order of ids as one number: a fraction of 1/4096 is exact beside milliseconds.
local function score_of(id)
  local ms, seq = string.match(id, '^(%d+)%-(%d+)$')
  return string.format('%.12f', tonumber(ms) + math.min(tonumber(seq), 4095) / 4096)
end

-- Whether the session was last seen in another network. Remembers this one.
local function has_moved(list, session, networks)
  local before = redis.call('HGET', list, session)
  local present = string.match(networks, '^[^,]*')
  if before ~= present then
    if not before and redis.call('HLEN', list) >= most_places then redis.call('DEL', list) end
    redis.call('HSET', list, session, present)
  end
  redis.call('PEXPIRE', list, keep_ms)
  return before and not string.find(networks, before, 1, true)
end

local function add(age_ms, kind, person, owner, open, sealed, session, networks, once, once_ms)
  local at = now - tonumber(age_ms)
  -- The age lacks the way from the node to here. That a person was deleted is all that stays of them.
  if owner ~= '' and kind ~= 'account.deleted' then
    local since = redis.call('GET', erased .. owner)
    if since and at <= tonumber(since) + SLACK_MS then return '0' end
  end
  if session ~= '' then
    local moved = has_moved(places .. owner, session, networks)
    if kind == 'session.moved' and not moved then return '0' end
  end
  if once ~= '' and not redis.call('SET', onces .. once, '', 'PX', once_ms, 'NX') then return '0' end

  local id = redis.call('XADD', part, 'MAXLEN', '~', most, '*', 't', string.format('%d', at), 'k', kind, 'p', person,
    'o', open, 's', sealed)
  if owner == '' then return '1' end
  local own = owns .. owner
  redis.call('ZADD', own, score_of(id), id)
  redis.call('PEXPIRE', own, keep_ms)
  -- So a person can push out nothing but what is their own.
  if redis.call('ZCARD', own) > most_own then
    for _, old in ipairs(redis.call('ZRANGE', own, 0, -(most_own + 1))) do
      redis.call('XDEL', part, old)
      redis.call('ZREM', own, old)
    end
  end
  return '1'
end

local written = {}
for i = 10, #ARGV, 10 do written[#written + 1] = add(unpack(ARGV, i, i + 9)) end
redis.call('XTRIM', part, 'MINID', string.format('%d-0', now - keep_ms))
redis.call('PEXPIRE', part, keep_ms)
return table.concat(written)
