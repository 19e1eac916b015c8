-- publish: gives a message the next offset, keeps it, and sends it to every node that follows the channel.
-- KEYS  meta, log, people, live, receipt
-- ARGV  content (`"event":…,"data":…,["from":…,]`), new_epoch, messages, age_ms, receipt_ms (0: no
--       idempotency key), begins 0|1 (whether it may be the first message of a channel that never was)
-- reply "epoch offset connections repeated" (0|1) | "KEY_REUSED" | "UNUSED" (it would be the first, and may
--       not). A text is cheaper than a list, here and for the caller

local meta, log, people, live, receipt = unpack(KEYS)
local content, new_epoch, messages = ARGV[1], ARGV[2], ARGV[3]
local age_ms, receipt_ms, begins = tonumber(ARGV[4]), tonumber(ARGV[5]), ARGV[6] == '1'

-- What lives for a minute or more is prolonged for a tenth of it longer, an hour at most, and then left alone
-- so long.
local slack_ms = age_ms < 60000 and 0 or math.floor(math.min(age_ms / 10, 3600000))

local epoch, top, lasts, due = unpack(redis.call('HMGET', meta, 'epoch', 'top', 'lasts', 'due'))
local channel = {
  meta = meta, log = log, now = now_ms(), epoch = epoch, top = tonumber(top), lasts = tonumber(lasts or 0),
  due = tonumber(due or 0),
}
-- The usual channel has a log that must exist. XADD itself finds out whether it does. For any other channel,
-- `open` looks.
local is_usual = epoch and channel.lasts > channel.now
if not is_usual then
  channel = open(meta, log, new_epoch)
  if channel.unused then
    if not begins then return 'UNUSED' end
    begin(channel, new_epoch)
  end
end

local function reply(offset, repeated)
  return string.format('%s %s %s %d', channel.epoch, offset, redis.call('HGET', people, '') or '0', repeated)
end

if receipt_ms > 0 then
  local former, offset, hash = string.match(redis.call('GET', receipt) or '', '^(%S+) (%d+) (%x+)$')
  -- A receipt from a lost log refers to a message that no longer exists. A receipt from an earlier epoch of
  -- this log is valid: it was written together with its message.
  if former then
    channel, is_usual = open(meta, log, new_epoch), false
    if former == channel.epoch or shared_with(channel, former) then
      if hash ~= redis.sha1hex(content) then return 'KEY_REUSED' end
      return reply(offset, 1)
    end
  end
end

if channel.now >= channel.due + slack_ms then
  local _, oldest = forget_old(channel, age_ms)
  redis.call('HSET', meta, 'due', (oldest or channel.now) + age_ms)
end

local body = content .. string.format('"time":%d', channel.now)
local added = is_usual
  and redis.call('XADD', log, 'NOMKSTREAM', 'MAXLEN', '=', messages, id_of(channel.top + 1), 'm', body)
if not added then
  -- A log that was lost begins anew.
  if is_usual then channel = open(meta, log, new_epoch) end
  redis.call('XADD', log, 'MAXLEN', '=', messages, id_of(channel.top + 1), 'm', body)
end

local offset = string.format('%d', channel.top + 1)
local needed = channel.now + age_ms
if channel.lasts < needed or channel.lasts > needed + slack_ms or redis.call('PTTL', log) < 0 then
  channel.lasts = needed + slack_ms
  redis.call('PEXPIREAT', log, channel.lasts)
  redis.call('HSET', meta, 'top', offset, 'lasts', channel.lasts)
else
  redis.call('HSET', meta, 'top', offset)
end
-- No longer empty.
channel.top = channel.top + 1
keep_meta(channel)
if receipt_ms > 0 then
  redis.call('SET', receipt, string.format('%s %s %s', channel.epoch, offset, redis.sha1hex(content)), 'PX', receipt_ms)
end
redis.call('SPUBLISH', live, string.format('m%s %s ', offset, channel.epoch) .. body)
return reply(offset, 0)
