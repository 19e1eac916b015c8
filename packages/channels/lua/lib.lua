-- Shared code: each script of this folder is this text followed by its own.
--
-- meta: hash.
--   epoch
--   base   the offset before the first message of this epoch
--   past   the earlier epochs of this log, oldest first, each with the last offset that it shares with the
--          present log. At the end the epoch under which this was written: `E0:26 E1:40 E2`. If that is not
--          the present epoch, a node that does not know `past` has changed the epoch, and `past` is ignored
--   top    newest offset
--   lasts  ms epoch until which the log must exist
--   due    ms epoch before which no message gets too old
--   read   inbox position
--   since  ms epoch before which the channel may not have been empty, because there was another log. Absent
--          when there was none
-- log: stream. Ids are <offset>-0, the one field `m` is the message's text, whose last member is its time.

local META_MS = 30 * 86400000
local DAY_MS = 86400000
-- How much the clocks of two masters may differ: after a failover the new master's clock counts.
local CLOCKS_MS = 60000

-- The time of Redis's clock in ms. Channels use no other clock.
local function now_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- Extends a key's TTL to ms. Only if it is more than a tenth short: a write is replicated, a read is not.
local function keep(key, ms)
  local left = redis.call('PTTL', key)
  if left ~= -2 and left < ms * 0.9 then redis.call('PEXPIRE', key, ms) end
end

-- Extends the TTL of a channel's meta. A channel without messages gets a day, so that requests for random
-- names cost little. Otherwise it gets a month, and always more than its log: a quarter more, because `keep`
-- tolerates a tenth less.
local function keep_meta(channel)
  local ms = channel.top == 0 and DAY_MS or META_MS
  keep(channel.meta, math.max(ms, math.floor((channel.lasts - channel.now) * 1.25)))
end

-- A channel that never had a message has no key in Redis, however often it is read. Its epoch is this word
-- and the time at which it was empty.
local NONE = 'none-'
local function empty_at(epoch) return tonumber(string.match(epoch, '^none%-(%d+)$')) end

-- Begins the channel under a new epoch. `since`: set if there was another log before; the time at which it
-- was found missing.
local function begin(channel, epoch, since)
  channel.epoch, channel.base, channel.top, channel.unused = epoch, 0, 0, false
  channel.lasts, channel.due, channel.read, channel.since, channel.past = 0, 0, 0, since or 0, ''
  redis.call('DEL', channel.meta, channel.log)
  redis.call('HSET', channel.meta, 'epoch', epoch, 'base', 0, 'top', 0)
  if since then redis.call('HSET', channel.meta, 'since', since) end
end

-- Loads the channel. If its log or meta disappeared too early, it begins again under new_epoch. A channel
-- that never had a message is `unused`, and nothing is written.
local function open(meta, log, new_epoch)
  local epoch, base, top, lasts, due, read, since, past =
    unpack(redis.call('HMGET', meta, 'epoch', 'base', 'top', 'lasts', 'due', 'read', 'since', 'past'))
  local channel = {
    meta = meta, log = log, now = now_ms(), epoch = epoch, base = tonumber(base or 0), top = tonumber(top or 0),
    lasts = tonumber(lasts or 0), due = tonumber(due or 0), read = tonumber(read or 0), since = tonumber(since or 0),
    past = past or '',
  }
  local due_log = not epoch or channel.lasts > channel.now
  local has_log = due_log and redis.call('EXISTS', log) == 1
  if not epoch and not has_log then
    channel.epoch, channel.unused = NONE .. string.format('%d', channel.now), true
  elseif not epoch or (due_log and not has_log) then
    begin(channel, new_epoch, channel.now)
  end
  if not channel.unused then keep_meta(channel) end
  return channel
end

-- Whether the log has everything since a reader saw the channel empty. Only if that was less than META_MS
-- ago: in a longer time a log may have come and gone without a trace. A time in the future is invalid.
local function was_empty(channel, epoch)
  local at = empty_at(epoch)
  return at ~= nil and at >= channel.since and at > channel.now - META_MS and at <= channel.now + CLOCKS_MS
end

-- The epochs before this one, each with its shared offset: epoch and offset alternate, oldest first.
local function past_of(channel)
  local list = {}
  local text, written = string.match(channel.past, '^(.*) (%S+)$')
  if written ~= channel.epoch then return list end
  for epoch, left in string.gmatch(text, '(%S+):(%d+)') do
    list[#list + 1] = epoch
    list[#list + 1] = tonumber(left)
  end
  return list
end

-- The offset up to which the log of an earlier epoch equals this one; nil when that epoch is unknown here.
local function shared_with(channel, epoch)
  local past = past_of(channel)
  local shared
  for i = 1, #past, 2 do
    if shared or past[i] == epoch then shared = math.min(shared or past[i + 1], past[i + 1]) end
  end
  return shared
end

local function id_of(offset) return string.format('%d-0', offset) end
local function offset_of(id) return tonumber(string.match(id, '^%d+')) end
local function time_of(body) return tonumber(string.match(string.sub(body, -24), '"time":(%d+)$')) end

-- A hash of a message without its time; nil when the message is not in the log. `LogEntry.mark` computes the
-- same hash.
local function mark_at(channel, offset)
  local entry = redis.call('XRANGE', channel.log, id_of(offset), id_of(offset))[1]
  if not entry then return nil end
  local body = entry[2][2]
  local time = string.match(string.sub(body, -24), '"time":%d+$') or ''
  return tonumber(string.sub(redis.sha1hex(string.sub(body, 1, #body - #time)), 1, 8), 16)
end

-- The offset up to which the log agrees with the messages that were handed out; nil when all agree. The list
-- is ARGV[first] on: offset, mark, …
local function agreed_until(channel, first)
  local agreed
  for i = first, #ARGV, 2 do
    local offset, mark = tonumber(ARGV[i]), tonumber(ARGV[i + 1])
    local here = mark_at(channel, offset)
    if offset > channel.top or (here and here ~= mark) then agreed = math.min(agreed or offset - 1, offset - 1) end
  end
  return agreed
end

-- Deletes messages older than age_ms. Returns the offset and the time of the oldest message left, or top + 1
-- and nil when none is left. It uses a binary search, so a long log costs only a few reads.
local function forget_old(channel, age_ms)
  local log, limit = channel.log, channel.now - age_ms
  local function look(offset)
    local entry = redis.call('XRANGE', log, offset, '+', 'COUNT', 1)[1]
    if not entry then return channel.top + 1, nil end
    return offset_of(entry[1]), time_of(entry[2][2])
  end
  local first, time = look('-')
  if not time or time > limit then return first, time end
  local old, young = first, channel.top + 1
  while young - old > 1 do
    local middle = math.floor((old + young) / 2)
    local _, at = look(id_of(middle))
    if at and at <= limit then old = middle else young = middle end
  end
  redis.call('XTRIM', log, 'MINID', '=', id_of(young))
  return look('-')
end

-- How many kept messages a person has not read.
local function unread_of(channel, age_ms)
  local first = forget_old(channel, age_ms)
  return channel.top - math.max(channel.read, first - 1)
end

-- people: hash. Number of a person's connections over all nodes. The empty name holds the sum of all people.

local function connections_of(people) return tonumber(redis.call('HGET', people, '') or 0) end
local function count_of(people) return redis.call('HLEN', people) - redis.call('HEXISTS', people, '') end

-- Adds to a person's connections. If the channel announces presence, it publishes when the person's first
-- connection came or the last one left.
local function add_connections(people, live, announces, user, delta)
  if delta == 0 then return end
  local before = tonumber(redis.call('HGET', people, user) or 0)
  local after = math.max(before + delta, 0)
  if after > 0 then redis.call('HSET', people, user, after) else redis.call('HDEL', people, user) end
  if redis.call('HINCRBY', people, '', after - before) <= 0 then redis.call('HDEL', people, '') end
  if announces and (before == 0) ~= (after == 0) then
    redis.call('SPUBLISH', live, string.format('p%s %d %s', after > 0 and 'join' or 'leave', count_of(people), user))
  end
end
