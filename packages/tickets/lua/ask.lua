-- ask: an application sends a request to log in to a person's phone.
-- The hash of a person has a field for each request of the last minutes that the person has not confirmed
-- (`t:` and the ticket): its time in ms, a space, and the application. And one for each application of which
-- the person wants none (`b:` and its id): the end of that in ms.
-- KEYS  requests
-- ARGV  ticket, client, most, window_ms
-- reply {"OK"} | {"RATE_LIMITED", wait_ms}

local key, ticket, client = KEYS[1], ARGV[1], ARGV[2]
local most, window_ms = tonumber(ARGV[3]), tonumber(ARGV[4])

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local count, oldest, last = 0, now, now + window_ms
local fields = redis.call('HGETALL', key)
for i = 1, #fields, 2 do
  local name, value = fields[i], fields[i + 1]
  local at = tonumber(string.match(value, '^%d+'))
  local ends = string.sub(name, 1, 2) == 'b:' and at or at + window_ms
  if ends <= now then
    redis.call('HDEL', key, name)
  elseif name == 'b:' .. client then
    return { 'RATE_LIMITED', ends - now }
  elseif string.sub(name, 1, 2) == 'b:' then
    last = math.max(last, ends)
  else
    count, oldest = count + 1, math.min(oldest, at)
  end
end
if count >= most then return { 'RATE_LIMITED', oldest + window_ms - now } end
redis.call('HSET', key, 't:' .. ticket, string.format('%d %s', now, client))
redis.call('PEXPIREAT', key, last)
return { 'OK' }
