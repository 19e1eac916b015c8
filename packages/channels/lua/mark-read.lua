-- mark-read: a person has read everything up to an offset. The position never moves back and never past the
-- newest message. Other devices are notified.
-- KEYS  meta, log, live
-- ARGV  new_epoch, age_ms, offset
-- reply {read, unread}

local meta, log, live = unpack(KEYS)
local new_epoch, age_ms, offset = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])

local channel = open(meta, log, new_epoch)
local read = math.min(offset, channel.top)
local moved = read > channel.read
if moved then channel.read = read end
local unread = unread_of(channel, age_ms)
if moved then
  redis.call('HSET', meta, 'read', read)
  redis.call('SPUBLISH', live, string.format('i%d %d', read, unread))
end
return { channel.read, unread }
