-- unlist: takes an identity out of an account.
-- KEYS  account
-- ARGV  field, keep_last (1: an account keeps its last identity; 0: it is removed with it)
-- reply 1 when taken out | 0 when it is the last one, and stays | -1 when it was not there
local account, field, keep_last = KEYS[1], ARGV[1], ARGV[2]

if redis.call('HEXISTS', account, field) == 0 then return -1 end
local identities = 0
for _, name in ipairs(redis.call('HKEYS', account)) do
  if string.sub(name, 1, 3) == 'id:' then identities = identities + 1 end
end
if identities == 1 then
  if keep_last == '1' then return 0 end
  if redis.call('HEXISTS', account, 'v') == 1 then
    redis.call('UNLINK', account)
    return 1
  end
end
redis.call('HDEL', account, field)
return 1
