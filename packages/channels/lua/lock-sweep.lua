-- lock-sweep: takes the lock of a dead node's sweep. There is one small key for each dead node, so it is also
-- written to a full Redis: a dead node would otherwise be present as long as Redis is full.
-- KEYS  lock
-- ARGV  node (that sweeps), ms
-- reply 1 when it was taken | 0 when another node holds it
return redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2], 'NX') and 1 or 0
