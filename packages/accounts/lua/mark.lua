-- mark: sets the state of an account.
-- KEYS  account
-- ARGV  state: active | disabled | deleted
-- reply {'OK', field, value, ...}  all that the account holds | {'NO_ACCOUNT'}  there is none, or it is
--       deleted and is to be something else
local account, wanted = KEYS[1], ARGV[1]

if redis.call('EXISTS', account) == 0 then return { 'NO_ACCOUNT' } end
if redis.call('HGET', account, 'state') == 'deleted' and wanted ~= 'deleted' then return { 'NO_ACCOUNT' } end
if wanted == 'active' then
  redis.call('HDEL', account, 'state')
else
  redis.call('HSET', account, 'state', wanted)
  -- An account that is being born would go after a while, and would come back without its state.
  if wanted == 'disabled' then redis.call('PERSIST', account) end
end
return { 'OK', unpack(redis.call('HGETALL', account)) }
