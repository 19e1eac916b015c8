-- rotate: a node has handed out messages that the log does not have: it has gone back (a failover lost writes) and uses offsets again, or
-- a master that had been replaced without knowing it told of messages that only it had. Under another epoch nobody takes the one for
-- the other.
-- KEYS  meta, log
-- ARGV  new_epoch, epoch, offset (the newest handed out), heard (the lowest offset that was heard a second time; 0 when none was),
--       most (epochs to remember), offset, mark, … (of the newest that were handed out)
-- reply {epoch, top}

local meta, log = KEYS[1], KEYS[2]
local new_epoch, epoch, offset, heard, most = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])

local channel = open(meta, log, new_epoch)
if channel.unused or channel.epoch ~= epoch then return { channel.epoch, channel.top } end

local left = channel.top < offset and channel.top or nil
for i = 6, #ARGV, 2 do
  local its, mark = tonumber(ARGV[i]), tonumber(ARGV[i + 1])
  local here = mark_at(channel, its)
  if its > channel.top or (here and here ~= mark) then left = math.min(left or its - 1, its - 1) end
end
if not left then return { channel.epoch, channel.top } end
if heard > 0 then left = math.min(left, heard - 1) end

local past = past_of(channel)
past[#past + 1] = epoch
past[#past + 1] = left
local text = ''
for i = math.max(1, #past - 2 * most + 1), #past, 2 do text = text .. past[i] .. ':' .. past[i + 1] .. ' ' end
redis.call('HSET', meta, 'epoch', new_epoch, 'base', left, 'past', text .. new_epoch, 'since', channel.now)
return { new_epoch, channel.top }
