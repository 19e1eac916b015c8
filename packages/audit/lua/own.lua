-- own: a page of a person's entries, the newest first.
-- KEYS  part, own, done (what API keys did to the person)
-- ARGV  ms, seq (of the entry before the page; both empty: from the newest on), limit
-- reply {more 0|1, id, {field, value, …}, id, {field, value, …}, …}

local part, own, done = unpack(KEYS)
local ms, seq, limit = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])

local from = ms and ms + math.min(seq, 4095) / 4096 or math.huge
local page, found = { 0 }, 0
-- Two lists, each with the oldest first, read from their ends. No entry is on both.
local one = redis.call('ZRANGE', own, 0, -1, 'WITHSCORES')
local two = redis.call('ZRANGE', done, 0, -1, 'WITHSCORES')
local i, k = #one - 1, #two - 1
while i > 0 or k > 0 do
  local id, at
  if k < 1 or (i > 0 and tonumber(one[i + 1]) >= tonumber(two[k + 1])) then
    id, at, i = one[i], tonumber(one[i + 1]), i - 2
  else
    id, at, k = two[k], tonumber(two[k + 1]), k - 2
  end
  local entry = at < from and redis.call('XRANGE', part, id, id)[1]
  if at >= from then
    -- It was on a page before.
  elseif not entry then
    -- The part has been trimmed.
    redis.call('ZREM', own, id)
    redis.call('ZREM', done, id)
  elseif found == limit then
    page[1] = 1
    break
  else
    found = found + 1
    page[#page + 1] = id
    page[#page + 1] = entry[2]
  end
end
return page
