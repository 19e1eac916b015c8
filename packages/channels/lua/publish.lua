-- publish: gives a message the next offset, keeps it, and sends it to every node that follows the channel.
-- KEYS  meta, log, people, live, receipt
-- ARGV  content (`"event":…,"data":…,["from":…,]`), new_epoch, messages, age_ms, receipt_ms (0: no
--       idempotency key), begins 0|1 (whether it may be the first message of a channel that never was)
-- reply {"OK", epoch, offset, connections, repeated 0|1} | {"KEY_REUSED"} | {"UNUSED"} (it would be the
--       first, and may not)

local meta, log, people, live, receipt = unpack(KEYS)
local content, new_epoch = ARGV[1], ARGV[2]
local messages, age_ms, receipt_ms, begins = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5]), ARGV[6] == '1'

local channel = open(meta, log, new_epoch)
if channel.unused then
  if not begins then return { 'UNUSED' } end
  begin(channel, new_epoch)
end
if receipt_ms > 0 then
  local epoch, offset, hash = string.match(redis.call('GET', receipt) or '', '^(%S+) (%d+) (%x+)$')
  -- A receipt from a lost log refers to a message that no longer exists. A receipt from an earlier epoch of
  -- this log is valid: it was written together with its message.
  if epoch and (epoch == channel.epoch or shared_with(channel, epoch)) then
    if hash ~= redis.sha1hex(content) then return { 'KEY_REUSED' } end
    return { 'OK', channel.epoch, tonumber(offset), connections_of(people), 1 }
  end
end

if channel.now >= channel.due then
  local _, oldest = forget_old(channel, age_ms)
  redis.call('HSET', meta, 'due', (oldest or channel.now) + age_ms)
end

channel.top, channel.lasts = channel.top + 1, channel.now + age_ms
local offset = channel.top
local body = content .. string.format('"time":%d', channel.now)
redis.call('XADD', log, 'MAXLEN', '=', messages, id_of(offset), 'm', body)
redis.call('PEXPIREAT', log, channel.lasts)
redis.call('HSET', meta, 'top', offset, 'lasts', channel.lasts)
keep_meta(channel)
if receipt_ms > 0 then
  redis.call('SET', receipt, string.format('%s %d %s', channel.epoch, offset, redis.sha1hex(content)), 'PX', receipt_ms)
end
redis.call('SPUBLISH', live, string.format('m%d %s ', offset, channel.epoch) .. body)
return { 'OK', channel.epoch, offset, connections_of(people), 0 }
