-- compare: reads a channel's state for a node that follows it. This also keeps the channel alive.
-- KEYS  meta, log, people, mine
-- ARGV  new_epoch, offset, mark, … (of messages that this node has handed out)
-- reply {epoch, top, people of this node, 1 the log agrees with those messages as far as it reaches | 0 it
--       has other messages in their place}

local meta, log, people, mine = unpack(KEYS)

local channel = open(meta, log, ARGV[1])
keep(people, DAY_MS)
keep(mine, DAY_MS)
return { channel.epoch, channel.top, redis.call('HLEN', mine), agreed_until(channel, 2) and 0 or 1 }
