-- typed: an account has found the ticket by its user code. Its scan is then told so. A list that is full says
-- "everybody", so nobody can keep another one off it.
-- KEYS  ticket
-- ARGV  sub, most_names
-- reply 1 | 0 when the ticket is gone

local key, sub, most_names = KEYS[1], ARGV[1], tonumber(ARGV[2])

if not find(key) then return 0 end
local typed = redis.call('HGET', key, 'typed') or ''
local name = name_of(key, sub)
if typed == '*' or names(typed, name) then return 1 end
redis.call('HSET', key, 'typed', count(typed) < most_names and typed .. name or '*')
return 1
