-- summary: what there is of a channel. Nothing begins, and nothing lives longer for it.
-- KEYS  meta, log, people
-- ARGV  age_ms
-- reply {epoch ('' when the channel never had a message), top, offset of the oldest message, messages,
--       connections, people}

local meta, log, people = unpack(KEYS)

local epoch, top = unpack(redis.call('HMGET', meta, 'epoch', 'top'))
local channel = { log = log, top = tonumber(top or 0), now = now_ms() }
local first = forget_old(channel, tonumber(ARGV[1]))
local messages = math.max(0, channel.top - first + 1)
return { epoch or '', channel.top, first, messages, connections_of(people), count_of(people) }
