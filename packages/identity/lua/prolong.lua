-- prolong: a session lives until then, if that is later than now planned, and none after its latest end (`exp` of its payload).
-- KEYS  grant
-- ARGV  until (epoch seconds)
-- reply 1 when it lives longer | 0 when it is gone, or lives as long already
local grant, wanted = KEYS[1], tonumber(ARGV[1])
local payload = redis.call('HGET', grant, 'payload')
if not payload then return 0 end
local latest = cjson.decode(payload).exp or wanted
return redis.call('EXPIREAT', grant, math.min(latest, wanted), 'GT')
