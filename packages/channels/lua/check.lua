-- check: where the channel is, for a node that follows it and thereby keeps it alive.
-- KEYS  meta, log, people, mine
-- ARGV  new_epoch
-- reply {epoch, top, people of this node}

local meta, log, people, mine = unpack(KEYS)
local new_epoch = ARGV[1]

local channel = open(meta, log, new_epoch)
keep(people, DAY_MS)
keep(mine, DAY_MS)
return { channel.epoch, channel.top, redis.call('HLEN', mine) }
