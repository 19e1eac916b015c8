-- check: where the channel is, for a node that follows it and thereby keeps it alive.
-- KEYS  meta, log, people, mine
-- ARGV  new_epoch, offset, mark (of the newest message that this node has; 0 when it has none)
-- reply {epoch, top, people of this node, 1 that message is in the log or no more | 0 another one has its offset}

local meta, log, people, mine = unpack(KEYS)
local new_epoch, offset, mark = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])

local channel = open(meta, log, new_epoch)
keep(people, DAY_MS)
keep(mine, DAY_MS)
local here = offset > 0 and mark_at(channel, offset)
return { channel.epoch, channel.top, redis.call('HLEN', mine), here and here ~= mark and 0 or 1 }
