-- rotate: gives the channel a new epoch when a node has handed out messages that the log does not have.
-- Either a failover lost writes and the log uses offsets again, or a replaced master, unaware of it,
-- published messages that only it had. Under a new epoch nobody confuses the two. If another node has already
-- rotated, this node may still know more: its readers come with the same former epoch.
-- KEYS  meta, log
-- ARGV  new_epoch, epoch, offset (the newest handed out), unsure (the lowest offset at which another message
--       may have been handed out; 0 when there is none), most (epochs to remember), offset, mark, … (of
--       messages that were handed out)
-- reply {epoch, top}

local meta, log = KEYS[1], KEYS[2]
local new_epoch, epoch, offset, unsure, most = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])

local channel = open(meta, log, new_epoch)
local is_present = channel.epoch == epoch
local left = agreed_until(channel, 6)
if is_present and channel.top < offset then left = math.min(left or channel.top, channel.top) end
if channel.unused or not left then return { channel.epoch, channel.top } end
if unsure > 0 then left = math.min(left, unsure - 1) end

-- The earlier epochs, each with its shared offset.
local past = past_of(channel)
if is_present then
  past[#past + 1] = epoch
  past[#past + 1] = left
else
  local is_known = false
  for i = 1, #past, 2 do
    if past[i] == epoch and left < past[i + 1] then past[i + 1], is_known = left, true end
  end
  if not is_known then return { channel.epoch, channel.top } end
end
local text = ''
for i = math.max(1, #past - 2 * most + 1), #past, 2 do text = text .. past[i] .. ':' .. past[i + 1] .. ' ' end
if is_present then
  redis.call('HSET', meta, 'epoch', new_epoch, 'base', left, 'past', text .. new_epoch, 'since', channel.now)
  return { new_epoch, channel.top }
end
redis.call('HSET', meta, 'past', text .. channel.epoch)
return { channel.epoch, channel.top }
