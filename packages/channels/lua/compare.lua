-- compare: where the channel is, for a node that follows it and thereby keeps it alive.
-- KEYS  meta, log, people, mine
-- ARGV  new_epoch, offset, mark, … (of messages that this node has handed out)
-- reply {epoch, top, people of this node, 1 those messages are in the log or no more | 0 it is not the log
--       that was handed out}

local meta, log, people, mine = unpack(KEYS)

local channel = open(meta, log, ARGV[1])
keep(people, DAY_MS)
keep(mine, DAY_MS)
return { channel.epoch, channel.top, redis.call('HLEN', mine), agreed_until(channel, 2) and 0 or 1 }
