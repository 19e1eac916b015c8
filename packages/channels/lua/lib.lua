-- Shared by the scripts of this folder, each of which is this text followed by its own.
--
-- meta: hash.
--   epoch
--   base   the offset before the first message of this epoch
--   past   the epochs that this log had before, each with the offset after which it was gone back on, oldest
--          first, and last the epoch under which that was written: `E0:26 E1:40 E2`. Written by a node that
--          does not know it, another epoch would be in force
--   top    newest offset
--   lasts  ms epoch until which the log must be there
--   due    ms epoch before which no message grows too old
--   read   inbox position
--   since  ms epoch: the channel was not surely empty before it, because another log had been here. Absent
--          when there was none
-- log: stream. Ids are <offset>-0, the one field `m` is the message's text, whose last member is its time.

local META_MS = 30 * 86400000
local DAY_MS = 86400000
-- What two masters' clocks may differ by: after a failover the other one's tells the time.
local CLOCKS_MS = 60000

-- Milliseconds of Redis's clock, the only one that channels know.
local function now_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- Lengthens a key's life to ms. Not at every call: a write is replicated, a look is not.
local function keep(key, ms)
  local left = redis.call('PTTL', key)
  if left ~= -2 and left < ms * 0.9 then redis.call('PEXPIRE', key, ms) end
end

-- Lengthens the life of what is known of a channel: a day as long as nothing was published, so that asking
-- for names costs little; then a month, and always longer than its log (by a quarter, because `keep` lets a
-- tenth go by).
local function keep_meta(channel)
  local ms = channel.top == 0 and DAY_MS or META_MS
  keep(channel.meta, math.max(ms, math.floor((channel.lasts - channel.now) * 1.25)))
end

-- A channel in which nothing was ever published has nothing in Redis, however often it is asked for. Its
-- epoch is this word with the moment at which it was empty.
local NONE = 'none-'
local function empty_at(epoch) return tonumber(string.match(epoch, '^none%-(%d+)$')) end

-- Begins the channel under an epoch. `since`: when another log was here before, the moment at which that was
-- found to be gone.
local function begin(channel, epoch, since)
  channel.epoch, channel.base, channel.top, channel.unused = epoch, 0, 0, false
  channel.lasts, channel.due, channel.read, channel.since, channel.past = 0, 0, 0, since or 0, ''
  redis.call('DEL', channel.meta, channel.log)
  redis.call('HSET', channel.meta, 'epoch', epoch, 'base', 0, 'top', 0)
  if since then redis.call('HSET', channel.meta, 'since', since) end
end

-- The channel as it is. One whose log or meta is gone before its time begins anew, under new_epoch. One that
-- never was is `unused`, and nothing is written.
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

-- Whether a reader who saw the channel empty has missed nothing but what is in the log. Younger than META_MS,
-- or a log may have come and gone since without a trace; and not of the future, which nobody has seen.
local function was_empty(channel, epoch)
  local at = empty_at(epoch)
  return at ~= nil and at >= channel.since and at > channel.now - META_MS and at <= channel.now + CLOCKS_MS
end

-- The epochs before this one with what is left of them: text and offset in turn, oldest first.
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

-- Up to which offset the log of an earlier epoch is the same as this one; nil when that epoch is not known to
-- have been one of it.
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

-- A number for what a message says, whenever it was published; nil when it is not kept. `LogEntry.mark` is
-- the same.
local function mark_at(channel, offset)
  local entry = redis.call('XRANGE', channel.log, id_of(offset), id_of(offset))[1]
  if not entry then return nil end
  local body = entry[2][2]
  local time = string.match(string.sub(body, -24), '"time":%d+$') or ''
  return tonumber(string.sub(redis.sha1hex(string.sub(body, 1, #body - #time)), 1, 8), 16)
end

-- Up to which offset the log is the one that was handed out, by what is known of that: ARGV[first] on,
-- offset, mark, … nil when it is.
local function agreed_until(channel, first)
  local agreed
  for i = first, #ARGV, 2 do
    local offset, mark = tonumber(ARGV[i]), tonumber(ARGV[i + 1])
    local here = mark_at(channel, offset)
    if offset > channel.top or (here and here ~= mark) then agreed = math.min(agreed or offset - 1, offset - 1) end
  end
  return agreed
end

-- Forgets what is older than age_ms. Returns the offset and the time of the oldest message left; top + 1 and
-- nil when there is none. Halves its way to it, so that a log of any length costs a few looks.
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

-- How many messages a person has not read, of those that are still kept.
local function unread_of(channel, age_ms)
  local first = forget_old(channel, age_ms)
  return channel.top - math.max(channel.read, first - 1)
end

-- people: hash. A person's connections over all nodes; under the empty name those of everybody.

local function connections_of(people) return tonumber(redis.call('HGET', people, '') or 0) end
local function count_of(people) return redis.call('HLEN', people) - redis.call('HEXISTS', people, '') end

-- Adds to a person's connections and tells the channel, if it is to be told, when the person came or went by
-- that.
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
