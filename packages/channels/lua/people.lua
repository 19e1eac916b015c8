-- people: lists who follows a channel.
-- KEYS  people
-- ARGV  most (people named)
-- reply {connections, count, {user, …}}

local people = KEYS[1]
local most = tonumber(ARGV[1])

local users = {}
-- One more, because the empty name may be drawn, too.
for _, user in ipairs(redis.call('HRANDFIELD', people, most + 1)) do
  if user ~= '' and #users < most then users[#users + 1] = user end
end
return { connections_of(people), count_of(people), users }
