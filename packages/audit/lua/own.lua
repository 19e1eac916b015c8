-- own: a page of a person's entries, the newest first.
-- KEYS  part, own
-- ARGV  ms, seq (of the entry before the page; both empty: from the newest on), limit
-- reply {more 0|1, id, {field, value, …}, id, {field, value, …}, …}

local part, own = KEYS[1], KEYS[2]
local ms, seq, limit = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])

local from = ms and string.format('(%.12f', ms + math.min(seq, 4095) / 4096) or '+inf'
local page, found = { 0 }, 0
for _, id in ipairs(redis.call('ZRANGE', own, from, '-inf', 'BYSCORE', 'REV')) do
  local entry = redis.call('XRANGE', part, id, id)[1]
  if not entry then
    -- The part has been trimmed.
    redis.call('ZREM', own, id)
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
