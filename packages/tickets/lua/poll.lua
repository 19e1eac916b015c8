-- poll: counts a poll of the token endpoint for an undecided ticket (RFC 8628 section 3.5). The first poll is
-- always in time. A poll that comes too soon lengthens the interval for all later ones, as its client must
-- do, and is not counted itself.
-- KEYS  ticket
-- ARGV  interval_ms, step_ms, most_ms, grace_ms
-- reply 1 in time | 0 too soon

local key = KEYS[1]
local interval_ms, step_ms, most_ms, grace_ms = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])

local ticket = find(key)
if not ticket then return 1 end
local polled, interval = unpack(redis.call('HMGET', key, 'polledAt', 'interval'))
interval = tonumber(interval or interval_ms)
if polled and ticket.now - tonumber(polled) < interval - grace_ms then
  redis.call('HSET', key, 'interval', math.min(interval + step_ms, most_ms))
  return 0
end
redis.call('HSET', key, 'polledAt', ticket.now)
return 1
