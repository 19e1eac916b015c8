-- inbox: how far a person has read.
-- KEYS  meta, log
-- ARGV  new_epoch, age_ms
-- reply {read, unread}

local channel = open(KEYS[1], KEYS[2], ARGV[1])
return { channel.read, unread_of(channel, tonumber(ARGV[2])) }
