-- note-end: shortens the life of an ended session's last refresh token, and notes in its record why the
-- session has ended. Only the bearer of that token is told. A refresh token has one note, so it can be
-- written to a full Redis.
-- KEYS  record
-- ARGV  keep_seconds, note ('' for none)
-- reply 1 | 0 when the token is gone
local record, keep_seconds, note = KEYS[1], ARGV[1], ARGV[2]
if redis.call('EXISTS', record) == 0 then return 0 end
redis.call('HDEL', record, 's')
-- The same in the form of a former version.
local payload = redis.call('HGET', record, 'payload')
if payload then redis.call('HSET', record, 'payload', (string.gsub(payload, '"accountId":"[^"]*"', '"accountId":""', 1))) end
if note ~= '' then redis.call('HSET', record, 'end', note) end
redis.call('EXPIRE', record, keep_seconds, 'LT')
return 1
