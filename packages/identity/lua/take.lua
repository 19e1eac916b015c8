-- take: ends a session. The applications that have to be told of it are left in the slot of the session, in
-- the same step: whoever dies afterwards, others find them, if the end was announced. What is left is less
-- than what is deleted, so it also runs in a full Redis, which would refuse MULTI.
-- KEYS  grant, untold
-- ARGV  sid (of what ends), keep_ms (how long the applications are left), announced (1 or 0), owner (of an
--       application's grant, which does not say whose it is; '' for a session)
-- reply {field, value, ...} of its record | {} when the session was gone | 1 when nothing was done, because
--       there are applications, and the end has to be announced first
local grant, untold, sid, keep_ms, announced = KEYS[1], KEYS[2], ARGV[1], ARGV[2], ARGV[3] == '1'
local fields = redis.call('HGETALL', grant)
local left, sub = {}, ARGV[4] ~= '' and ARGV[4] or nil
for i = 1, #fields, 2 do
  local name, value = fields[i], fields[i + 1]
  if string.sub(name, 1, 1) == '@' then
    left[#left + 1] = name
    left[#left + 1] = ''
  elseif name == 's' then
    sub = value
  elseif name == 'p' then
    sid = value
  elseif name == 'payload' then
    local record = cjson.decode(value)
    sub, sid = record.accountId or sub, record.sessionUid or sid
  end
end
if #left > 0 and not announced then return 1 end
redis.call('UNLINK', grant)
if #left > 0 and sub then
  redis.call('HSET', untold, 's', sub, 'd', sid, unpack(left))
  redis.call('PEXPIRE', untold, keep_ms)
end
return fields
