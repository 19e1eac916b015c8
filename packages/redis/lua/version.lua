-- version: keeps the version of the running nodes, unless nodes of another version keep theirs. It is also
-- written to a full Redis.
-- KEYS  cluster_version
-- ARGV  version, ms
-- reply the version before, or nil
local standing = redis.call('GET', KEYS[1])
if not standing or standing == ARGV[1] then redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2]) end
return standing
