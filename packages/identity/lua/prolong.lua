-- prolong: gives a session a new refresh token. The session lives at least as long as that token, but never
-- past its latest end (`x`, or `exp` of its payload). The name of the newest token is stored, so that an end
-- finds that token. Repeating the same token does not count.
-- KEYS  grant
-- ARGV  until (epoch seconds), token (its record's name), most, window_seconds
-- reply 1 | 0 when the session is gone | the seconds to wait, as a negative number, when it reached `most` in
--       its window
local grant, wanted, token = KEYS[1], tonumber(ARGV[1]), ARGV[2]
local most, window_seconds = tonumber(ARGV[3]), tonumber(ARGV[4])
local payload, exp, last, from, got = unpack(redis.call('HMGET', grant, 'payload', 'x', 'token', 'from', 'got'))
if not payload and not exp then return 0 end
if token ~= last then
  local now = tonumber(redis.call('TIME')[1])
  from, got = tonumber(from or 0), tonumber(got or 0)
  if now >= from + window_seconds then from, got = now, 0 end
  if got >= most then return now - from - window_seconds end
  redis.call('HSET', grant, 'token', token, 'from', from, 'got', got + 1)
end
local latest = tonumber(payload and cjson.decode(payload).exp or exp) or wanted
redis.call('EXPIREAT', grant, math.min(latest, wanted), 'GT')
return 1
