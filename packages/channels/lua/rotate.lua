-- rotate: a node has handed out an offset that the log has not reached, so the log has gone back (a failover lost acknowledged
-- writes) and will use offsets again. Under another epoch nobody takes the new messages for the old ones.
-- KEYS  meta, log
-- ARGV  new_epoch, epoch, offset (the evidence), base (the offset before the first message used again; -1 when none was heard)
-- reply {epoch, top}

local meta, log = KEYS[1], KEYS[2]
local new_epoch, epoch, offset, base = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])

local channel = open(meta, log, new_epoch)
if not channel.unused and channel.epoch == epoch and channel.top < offset then
  channel.epoch = new_epoch
  redis.call('HSET', meta, 'epoch', new_epoch, 'base', base < 0 and channel.top or math.min(base, channel.top), 'since', channel.now)
end
return { channel.epoch, channel.top }
