-- read: one page of the log.
-- KEYS  meta, log
-- ARGV  new_epoch, age_ms, since_epoch ('' when there is no since), since_offset, history, limit, most_bytes
--       (1 or more), go_on (1: what is left behind a loss instead of the history)
-- reply {epoch, offset, "recovered"|"fresh"|"epoch"|"trimmed", more 0|1, {id, body, …}, mark}. epoch and
--       offset are where the reader stands after the page; mark is of the message there if the page has none,
--       or 0. A reader from an earlier epoch of this log gets `epoch`, and all messages from the offset on
--       at which the two logs differ

local meta, log = KEYS[1], KEYS[2]
local new_epoch, age_ms, since_epoch, since_offset = ARGV[1], tonumber(ARGV[2]), ARGV[3], tonumber(ARGV[4])
local history, limit, most_bytes, go_on = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7]), ARGV[8] == '1'
-- Entries per XRANGE: few at first, never many. Copying entries into the script that do not fit is wasted
-- work.
local FEW, MANY = 8, 50

local channel = open(meta, log, new_epoch)
local first = forget_old(channel, age_ms)

local how = 'recovered'
if since_epoch == '' then how = 'fresh'
elseif since_offset <= channel.top and was_empty(channel, since_epoch) then
  how = since_offset < first - 1 and 'trimmed' or 'recovered'
elseif since_epoch ~= channel.epoch or since_offset > channel.top then how = 'epoch'
elseif since_offset < first - 1 then how = 'trimmed' end

local entries, count, bytes = {}, 0, 0
local function fits(body)
  return count < limit and (count == 0 or bytes + #body <= most_bytes)
end
-- Estimates how many more entries fit, from the size of those so far; 0 when the page is full.
local function expected()
  if count == limit or bytes >= most_bytes then return 0 end
  local alike = count == 0 and math.min(FEW, math.ceil(most_bytes / 1024)) or math.ceil((most_bytes - bytes) * count / bytes)
  return math.min(limit - count, alike, MANY)
end
local function count_in(body)
  count, bytes = count + 1, bytes + #body
end
local function put(entry)
  entries[#entries + 1] = entry[1]
  entries[#entries + 1] = entry[2][2]
end

-- Adds the messages after `offset`. Returns the offset of the last one.
local function forward(offset)
  while true do
    local wanted = expected()
    if wanted == 0 then return offset end
    local chunk = redis.call('XRANGE', log, id_of(offset + 1), '+', 'COUNT', wanted)
    for _, entry in ipairs(chunk) do
      if not fits(entry[2][2]) then return offset end
      count_in(entry[2][2])
      put(entry)
      offset = offset_of(entry[1])
    end
    if #chunk < wanted then return channel.top end
  end
end

-- Adds the newest messages, oldest first.
local function newest(history)
  local found = {}
  limit = math.min(limit, history)
  local from = '+'
  local ended = false
  while not ended do
    local wanted = expected()
    local chunk = wanted == 0 and {} or redis.call('XREVRANGE', log, from, '-', 'COUNT', wanted)
    for _, entry in ipairs(chunk) do
      ended = not fits(entry[2][2])
      if ended then break end
      count_in(entry[2][2])
      found[count] = entry
      from = '(' .. entry[1]
    end
    ended = ended or wanted == 0 or #chunk < wanted
  end
  for i = #found, 1, -1 do put(found[i]) end
end

local offset = channel.top
local shared = how == 'epoch' and shared_with(channel, since_epoch)
if how == 'recovered' then
  offset = forward(since_offset)
elseif shared then
  offset = forward(math.max(math.min(since_offset, shared), first - 1))
elseif go_on then
  offset = forward(math.max(how == 'epoch' and channel.base or since_offset, first - 1))
else
  newest(history)
end
-- A reader of a channel that is still empty keeps its position, like any other reader. After a day it gets a
-- newer one.
if channel.unused and how == 'recovered' and empty_at(since_epoch) > channel.now - DAY_MS then channel.epoch = since_epoch end
local mark = count == 0 and offset > 0 and mark_at(channel, offset) or 0
return { channel.epoch, offset, how, offset < channel.top and 1 or 0, entries, mark }
