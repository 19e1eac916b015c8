-- strip: leaves of a deleted account only that it was deleted.
-- KEYS  account
-- ARGV  keep_ms (0: for good)
-- reply 1 | 0 when the account is not deleted
local account, keep_ms = KEYS[1], ARGV[1]

if redis.call('HGET', account, 'state') ~= 'deleted' then return 0 end
for _, name in ipairs(redis.call('HKEYS', account)) do
  if name ~= 'state' then redis.call('HDEL', account, name) end
end
if keep_ms ~= '0' then redis.call('PEXPIRE', account, keep_ms) end
return 1
