-- list: writes an identity into an account, and keeps the account for good or only for a while.
-- KEYS  account
-- ARGV  via, field, sealed, renew (1: the identity has changed), fresh_ms (0: for good; else how long a new
--       account lives), claims ('' for none), replace (1: they replace claims that are there)
-- reply {state, claims}  state: active | new (it was not there) | disabled | deleted, and then nothing is
--       written
local account = KEYS[1]
local via, field, sealed, renew, fresh_ms = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local claims, replace = ARGV[6], ARGV[7]

local state = redis.call('HGET', account, 'state')
if state then return { state, '' } end

local is_new = redis.call('EXISTS', account) == 0
-- Accounts of former versions have no v, and at first no identities.
if is_new then redis.call('HSET', account, 'v', '2') end
-- Writes only what is lacking, so that people who are known can come while Redis is full.
if redis.call('HEXISTS', account, 'via') == 0 then redis.call('HSET', account, 'via', via) end
if renew == '1' or redis.call('HEXISTS', account, field) == 0 then redis.call('HSET', account, field, sealed) end
if claims ~= '' then
  if replace == '1' or redis.call('HEXISTS', account, 'claims') == 0 then
    redis.call('HSET', account, 'claims', claims)
  end
  -- Accounts of former versions have the name of a demo person in plain text.
  redis.call('HDEL', account, 'name')
end
if fresh_ms == '0' then
  redis.call('PERSIST', account)
elseif is_new then
  redis.call('PEXPIRE', account, fresh_ms)
end
return { is_new and 'new' or 'active', redis.call('HGET', account, 'claims') or '' }
