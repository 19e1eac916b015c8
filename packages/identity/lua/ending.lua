-- ending: marks sessions of a person's list as being ended. Only those that are on it: a mark is no longer than the entry that it
-- replaces, so it is made also in a full Redis.
-- KEYS  sessions
-- ARGV  mark, sid, ...
-- reply how many were on the list
local sessions, mark = KEYS[1], ARGV[1]
local marked = 0
for i = 2, #ARGV do
  if redis.call('HEXISTS', sessions, ARGV[i]) == 1 then
    redis.call('HSET', sessions, ARGV[i], mark)
    marked = marked + 1
  end
end
return marked
