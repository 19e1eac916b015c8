-- list: writes an identity into an account, and keeps the account for good or only for a while.
-- KEYS  account
-- ARGV  via, field, sealed, renew (1: the identity has changed), fresh_ms (0: for good; else how long an
--       account lives that is not kept for good yet), claims ('' for none), replace (1: they replace claims
--       that are there, 2: only those of before), most (identities of an account), before (sealed claims)
-- reply {state, claims}  state: active | new (it was not there, or not for good) | disabled | deleted |
--       full | changed (the claims are not those of before), and in the last four cases nothing is written
local account = KEYS[1]
local via, field, sealed, renew, fresh_ms = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local claims, replace, most, before = ARGV[6], ARGV[7], tonumber(ARGV[8]), ARGV[9]

local state = redis.call('HGET', account, 'state')
if state then return { state, '' } end
if replace == '2' then
  local now = redis.call('HGET', account, 'claims') or ''
  if now ~= before then return { 'changed', now } end
end

local exists = redis.call('EXISTS', account) == 1
local is_new = not exists or redis.call('PTTL', account) >= 0
local is_listed = exists and redis.call('HEXISTS', account, field) == 1
if exists and not is_listed then
  local identities = 0
  for _, name in ipairs(redis.call('HKEYS', account)) do
    if string.sub(name, 1, 3) == 'id:' then identities = identities + 1 end
  end
  if identities >= most then return { 'full', '' } end
end
-- Accounts of former versions have no v, and at first no identities.
if not exists then redis.call('HSET', account, 'v', '2') end
-- Writes only what is lacking, so that people who are known can come while Redis is full.
if redis.call('HEXISTS', account, 'via') == 0 then redis.call('HSET', account, 'via', via) end
if renew == '1' or not is_listed then redis.call('HSET', account, field, sealed) end
if claims ~= '' then
  if replace ~= '0' or redis.call('HEXISTS', account, 'claims') == 0 then
    redis.call('HSET', account, 'claims', claims)
  end
  -- Accounts of former versions have the name of a demo person in plain text.
  redis.call('HDEL', account, 'name')
end
if is_new then
  if fresh_ms == '0' then
    redis.call('PERSIST', account)
  else
    redis.call('PEXPIRE', account, fresh_ms)
  end
end
return { is_new and 'new' or 'active', redis.call('HGET', account, 'claims') or '' }
