-- append: adds entries to a part, in the order in which they are given. Lists what an API key did with that
-- key, and everything with its person: in one list what keys did, in another all else.
-- KEYS  part, batch (what this process added last)
-- ARGV  number of the batch (each is higher than the one before), most (entries of the part), keep_ms,
--       most_own (entries of one person), most_by (entries of one API key),
--       most_places (sessions of one person), places_ms,
--       owns, dones, bys, places, erased, onces (prefixes of keys in this slot),
--       then for each entry: age_ms, kind, person, hash (of the person; empty without one),
--       by (the API key that did it; empty if none did), open, sealed,
--       session (empty: its network does not matter), networks (the present one first, under each secret),
--       once (empty: always), once_ms
-- reply one letter for each entry: "1" written | "0" not wanted; or "AGAIN" when the batch is there already

local part, last = KEYS[1], KEYS[2]
local batch, most, keep_ms, most_own, most_by, most_places, places_ms = unpack(ARGV, 1, 7)
local owns, dones, bys, places, erased, onces = unpack(ARGV, 8, 13)
most, keep_ms, most_own = tonumber(most), tonumber(keep_ms), tonumber(most_own)
most_by, most_places = tonumber(most_by), tonumber(most_places)
local FIRST, MEMBERS = 14, 11

-- While a slot moves to another master, Redis refuses a key that is not here at the first command that names
-- it. So all are named before anything is written: a batch is written whole, or not at all.
local named = { last }
for i = FIRST, #ARGV, MEMBERS do
  local person, hash, by, once = ARGV[i + 2], ARGV[i + 3], ARGV[i + 4], ARGV[i + 9]
  if by ~= '' then named[#named + 1] = bys .. by end
  if person ~= '' then
    named[#named + 1] = (by == '' and owns or dones) .. person
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

-- Deletes an entry, and takes it off the lists that it is on. A list that is not here while the slot moves
-- keeps an id that leads nowhere.
local function drop(entry)
  local id, person, by = entry[1], entry[2][6], entry[2][12] or ''
  if by ~= '' then redis.pcall('ZREM', bys .. by, id) end
  if person ~= '' then redis.pcall('ZREM', (by == '' and owns or dones) .. person, id) end
  redis.call('XDEL', part, id)
end

-- Puts an entry on a list. The oldest ones of a list that is full go.
local function put(list, id, most_listed)
  redis.call('ZADD', list, score_of(id), id)
  redis.call('PEXPIRE', list, keep_ms)
  if not most_listed or redis.call('ZCARD', list) <= most_listed then return end
  for _, old in ipairs(redis.call('ZRANGE', list, 0, -(most_listed + 1))) do
    local entry = redis.call('XRANGE', part, old, old)[1]
    if entry then drop(entry) end
    redis.call('ZREM', list, old)
  end
end

local function add(age_ms, kind, person, hash, by, open, sealed, session, networks, once, once_ms)
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

  local fields = { 't', string.format('%d', at), 'k', kind, 'p', person, 'o', open, 's', sealed }
  if by ~= '' then
    fields[11], fields[12] = 'b', by
  end
  local id = redis.call('XADD', part, '*', unpack(fields))
  -- What is listed with a person is erased with them. A person pushes out nothing but what is their own, and
  -- so does a key: what it does to a person is not counted against that person.
  if person ~= '' and not stays then
    if by == '' then put(owns .. person, id, most_own) else put(dones .. person, id) end
  end
  if by ~= '' then put(bys .. by, id, most_by) end
  return '1'
end

-- Deletes the oldest entries that are too many. They leave their lists too, so these are bounded like the
-- part.
local function trim()
  -- After the setting was lowered there may be far more. The next batches take the rest.
  local over = math.min(redis.call('XLEN', part) - most, 1000)
  if over <= 0 then return end
  for _, entry in ipairs(redis.call('XRANGE', part, '-', '+', 'COUNT', over)) do drop(entry) end
end

local written = {}
for i = FIRST, #ARGV, MEMBERS do written[#written + 1] = add(unpack(ARGV, i, i + MEMBERS - 1)) end
trim()
redis.call('XTRIM', part, 'MINID', string.format('%d-0', now - keep_ms))
redis.call('PEXPIRE', part, keep_ms)
return table.concat(written)
