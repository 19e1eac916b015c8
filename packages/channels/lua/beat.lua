-- beat: renews a node's lease. A node whose lease has ended may have been swept and is not accepted again: it
-- goes on under another name.
-- KEYS  nodes
-- ARGV  node, lease_ms, first 0|1 (its first beat)
-- reply {1 taken | 0 overdue, node, …} with the names of nodes whose leases have ended

local nodes = KEYS[1]
local node, lease_ms, first = ARGV[1], tonumber(ARGV[2]), ARGV[3] == '1'

local now = now_ms()
local taken = first or tonumber(redis.call('ZSCORE', nodes, node) or 0) > now
if taken then redis.call('ZADD', nodes, now + lease_ms, node) end
keep(nodes, DAY_MS)
local overdue = redis.call('ZRANGE', nodes, '-inf', now, 'BYSCORE', 'LIMIT', 0, 100)
return { taken and 1 or 0, unpack(overdue) }
