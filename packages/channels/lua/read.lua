-- read: one page of the log.
-- KEYS  meta, log
-- ARGV  new_epoch, age_ms, since_epoch ('' when there is no since), since_offset, history, limit, most_bytes,
--       go_on (1: what is left behind a loss instead of the history)
-- reply {epoch, offset, "recovered"|"fresh"|"epoch"|"trimmed", more 0|1, {id, body, …}}
--       epoch and offset are where the reader stands after the page

local meta, log = KEYS[1], KEYS[2]
local new_epoch, age_ms, since_epoch, since_offset = ARGV[1], tonumber(ARGV[2]), ARGV[3], tonumber(ARGV[4])
local history, limit, most_bytes, go_on = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7]), ARGV[8] == '1'
-- Bodies are copied into the script, and most pages end by bytes or by the log's end.
local CHUNK = 50

local channel = open(meta, log, new_epoch)
local first = forget_old(channel, age_ms)

local how = 'recovered'
if since_epoch == '' then how = 'fresh'
elseif since_epoch ~= channel.epoch or since_offset > channel.top then how = 'epoch'
elseif since_offset < first - 1 then how = 'trimmed' end

local entries, count, bytes = {}, 0, 0
local function fits(body)
  return count < limit and (count == 0 or bytes + #body <= most_bytes)
end
local function take(entry)
  local body = entry[2][2]
  count, bytes = count + 1, bytes + #body
  entries[#entries + 1] = entry[1]
  entries[#entries + 1] = body
end

-- Takes what follows `offset` and returns the offset of the last one taken.
local function forward(offset)
  while true do
    local chunk = redis.call('XRANGE', log, id_of(offset + 1), '+', 'COUNT', CHUNK)
    for _, entry in ipairs(chunk) do
      if not fits(entry[2][2]) then return offset end
      take(entry)
      offset = offset_of(entry[1])
    end
    if #chunk < CHUNK then return channel.top end
  end
end

-- Takes the newest ones, oldest first.
local function newest(wanted)
  local found = {}
  limit = math.min(limit, wanted)
  local ended = limit == 0
  local from = '+'
  while not ended do
    local chunk = redis.call('XREVRANGE', log, from, '-', 'COUNT', CHUNK)
    for _, entry in ipairs(chunk) do
      ended = not fits(entry[2][2])
      if ended then break end
      count, bytes = count + 1, bytes + #entry[2][2]
      table.insert(found, entry)
    end
    ended = ended or #chunk < CHUNK
    if not ended then from = '(' .. chunk[CHUNK][1] end
  end
  for i = #found, 1, -1 do take(found[i]) end
end

local offset = channel.top
if how == 'recovered' then
  offset = forward(since_offset)
elseif go_on then
  offset = forward(math.max(how == 'epoch' and channel.base or since_offset, first - 1))
else
  newest(history)
end
return { channel.epoch, offset, how, offset < channel.top and 1 or 0, entries }
