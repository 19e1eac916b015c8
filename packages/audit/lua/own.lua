-- own: a page of a person's entries, the newest first.
-- KEYS  part, own, done (what API keys did to the person)
-- ARGV  ms, seq (of the entry before the page; both empty: from the newest on), limit
-- reply {more 0|1, id, {field, value, …}, id, {field, value, …}, …}

local part, own, done = unpack(KEYS)
local ms, seq, limit = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])

local from = ms and ms + math.min(seq, 4095) / 4096 or math.huge
local page, found = { 0 }, 0
local listed = redis.call('ZUNION', 2, own, done, 'WITHSCORES')
for i = #listed - 1, 1, -2 do
  local id = listed[i]
  local entry = tonumber(listed[i + 1]) < from and redis.call('XRANGE', part, id, id)[1]
  if tonumber(listed[i + 1]) >= from then
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
