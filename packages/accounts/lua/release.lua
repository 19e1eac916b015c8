-- release: removes a link, if it leads to this account.
-- KEYS  link
-- ARGV  sub
-- reply 1 when removed | 0
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('UNLINK', KEYS[1])
