-- delete-if: deletes a key if it still has the given value.
-- KEYS  key
-- ARGV  value
-- reply 1 when it was deleted
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
return redis.call('DEL', KEYS[1])
