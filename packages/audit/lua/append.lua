-- append: adds entries to a part, in the order in which they are given, and lists each with its person.
-- KEYS  part, batch (what this process added last)
-- ARGV  number of the batch (each is higher than the one before), most (entries of the part), keep_ms,
--       most_own (entries of one person), most_places (sessions of one person), places_ms,
--       owns, places, erased, onces (prefixes of keys in this slot),
--       then for each entry: age_ms, kind, person, hash (of the person; empty without one), open, sealed,
--       session (empty: its network does not matter), networks (the present one first, under each secret),
--       once (empty: always), once_ms
-- reply one letter for each entry: "1" written | "0" not wanted; or "AGAIN" when the batch is there already

local part, last = KEYS[1], KEYS[2]
local batch, most, keep_ms, most_own, most_places, places_ms = unpack(ARGV, 1, 6)
local owns, places, erased, onces = unpack(ARGV, 7, 10)
most, keep_ms, most_own, most_places = tonumber(most), tonumber(keep_ms), tonumber(most_own), tonumber(most_places)
local FIRST, MEMBERS = 11, 10

-- While a slot moves to another master, Redis refuses a key that is not here at the first command that names
-- it. So all are named before anything is written: a batch is written whole, or not at all.
local named = { last }
for i = FIRST, #ARGV, MEMBERS do
  local person, hash, once = ARGV[i + 2], ARGV[i + 3], ARGV[i + 8]
  if person ~= '' then
    named[#named + 1] = owns .. person
    named[#named + 1] = places .. person
    named[#named + 1] = erased .. hash
  end
  if once ~= '' then named[#named + 1] = onces .. once end
end
redis.call('EXISTS', unpack(named))

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

-- Whether the session was last seen in another network. Remembers this one, under each secret: the next node
-- may know only one of them.
local function has_moved(list, session, networks)
  local before = redis.call('HGET', list, session)
  if before ~= networks then
    if not before and redis.call('HLEN', list) >= most_places then redis.call('DEL', list) end
    redis.call('HSET', list, session, networks)
  end
  redis.call('PEXPIRE', list, places_ms)
  if not before then return false end
  for name in string.gmatch(networks, '[^,]+') do
    if string.find(before, name, 1, true) then return false end
  end
  return true
end

local function add(age_ms, kind, person, hash, open, sealed, session, networks, once, once_ms)
  local at = now - tonumber(age_ms)
  -- The age lacks the way from the node to here. That a person was deleted is all that stays of them.
  local stays = kind == 'account.deleted'
  if person ~= '' and not stays then
    local since = redis.call('GET', erased .. hash)
    if since and at <= tonumber(since) + SLACK_MS then return '0' end
  end
  if session ~= '' then
    local moved = has_moved(places .. person, session, networks)
    if kind == 'session.moved' and not moved then return '0' end
  end
  if once ~= '' and not redis.call('SET', onces .. once, '', 'PX', once_ms, 'NX') then return '0' end

  local id = redis.call('XADD', part, '*', 't', string.format('%d', at), 'k', kind, 'p', person, 'o', open, 's', sealed)
  -- What is listed is erased with the person.
  if person == '' or stays then return '1' end
  local own = owns .. person
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

-- Deletes the oldest entries that are too many, and takes them off the lists of their people. So the lists
-- are bounded like the part. A list that is not here while the slot moves keeps an id that leads nowhere.
local function trim()
  -- After the setting was lowered there may be far more. The next batches take the rest.
  local over = math.min(redis.call('XLEN', part) - most, 1000)
  if over <= 0 then return end
  for _, entry in ipairs(redis.call('XRANGE', part, '-', '+', 'COUNT', over)) do
    local person = entry[2][6]
    if person ~= '' then redis.pcall('ZREM', owns .. person, entry[1]) end
    redis.call('XDEL', part, entry[1])
  end
end

local written = {}
for i = FIRST, #ARGV, MEMBERS do written[#written + 1] = add(unpack(ARGV, i, i + MEMBERS - 1)) end
trim()
redis.call('XTRIM', part, 'MINID', string.format('%d-0', now - keep_ms))
redis.call('PEXPIRE', part, keep_ms)
return table.concat(written)
