-- prolong: a session gets a refresh token. It lives as long as that, if not longer already, and never past
-- its latest end (`exp` of its payload). What it was named last is kept, so that an end finds that token; the
-- same one again is no further one.
-- KEYS  grant
-- ARGV  until (epoch seconds), token (its record's name), most, window_seconds
-- reply 1 | 0 when the session is gone | the seconds to wait, as a negative number, when it got the most in
--       its window
local grant, wanted, token = KEYS[1], tonumber(ARGV[1]), ARGV[2]
local most, window_seconds = tonumber(ARGV[3]), tonumber(ARGV[4])
local payload, last, from, got = unpack(redis.call('HMGET', grant, 'payload', 'token', 'from', 'got'))
if not payload then return 0 end
if token ~= last then
  local now = tonumber(redis.call('TIME')[1])
  from, got = tonumber(from or 0), tonumber(got or 0)
  if now >= from + window_seconds then from, got = now, 0 end
  if got >= most then return now - from - window_seconds end
  redis.call('HSET', grant, 'token', token, 'from', from, 'got', got + 1)
end
local latest = cjson.decode(payload).exp or wanted
redis.call('EXPIREAT', grant, math.min(latest, wanted), 'GT')
return 1
