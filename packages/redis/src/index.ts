export type { Away } from './absences.ts'
export { adapterClient } from './adapter-client.ts'
export { type Budget, type BudgetOptions, budgetKey, createBudget } from './budget.ts'
export type { RedisCommand } from './commands.ts'
export {
  type Connection,
  type ConnectionOptions,
  connect,
  connectServer,
  reconnectDelayMs,
  serverOptions,
  whenReady,
} from './connection.ts'
export type { Certificates } from './connector.ts'
export { every } from './every.ts'
export { memoryOf } from './key-memory.ts'
export { CLUSTER_VERSION, createKeys, type Keys, VERSION_BESIDE } from './keys.ts'
export { Listeners } from './listeners.ts'
export { clockOf, type Member, type MemberClock, memberOf, nodesAlive } from './members.ts'
export { joinCluster, type Membership, type MembershipOptions, NotAdmitted } from './membership.ts'
export { type Memory, type MemoryWatch, type MemoryWatchOptions, watchMemory } from './memory.ts'
export { createPlaces, type Places, type PlacesOptions, placesKey } from './places.ts'
export { createRedis, type RedisClients, type RedisOptions, type Role } from './redis.ts'
export { RedisRefused } from './refused.ts'
export { orUnavailable, RedisUnavailable } from './replies.ts'
export { assertSuitable, mastersOf, problemsOf, RedisUnsuitable, trialProblems, whereOf } from './requirements.ts'
export { type Script, type ScriptFlags, type ScriptRun, scriptsIn } from './script.ts'
export { createQuickSeal, createSeal, type QuickSeal, type Seal } from './seal.ts'
export { type Cause, shardsOf } from './shards.ts'
export { areSlots } from './slot-ranges.ts'
export { Subscriber } from './subscriber.ts'
export type { ChannelListener } from './subscription.ts'
export { type Address, parseRedisUrl } from './url.ts'
export { createWalk, type WalkPlace, type WalkStep } from './walk.ts'
