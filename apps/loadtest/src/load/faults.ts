import { drain, kill, subscriber } from './faults/nodes.ts'
import { reload } from './faults/proxy.ts'
import type { Fault } from './faults/scene.ts'
import { failover, freeze, redis } from './faults/servers.ts'
import { slots } from './faults/slots.ts'
import { noreplicas, oom } from './faults/writes.ts'
import type { StoreKind } from './store.ts'

export const faultNames = [
  ...(['kill', 'drain', 'reload', 'subscriber', 'redis', 'freeze', 'noreplicas', 'oom'] as const),
  ...(['slots', 'failover'] as const),
]
export type FaultName = (typeof faultNames)[number]

export interface FaultKind {
  act: Fault
  /** Description for people. */
  is: string
  /**
   * Whether Redis may execute a command whose answer never arrives. With other faults Redis answers every
   * command.
   */
  silent: boolean
  /** The only kind of Redis in which this fault is possible. */
  needs?: StoreKind
}

export const faults: Readonly<Record<FaultName, FaultKind>> = {
  kill: { act: kill, silent: true, is: 'a node dies (kill -9)' },
  drain: { act: drain, silent: false, is: 'a node is drained (SIGTERM) and started anew' },
  reload: { act: reload, silent: true, is: 'nginx reads its configuration anew (SIGHUP)' },
  subscriber: { act: subscriber, silent: false, is: 'the connections on which nodes listen are cut' },
  redis: { act: redis, silent: true, is: 'Redis, or one master of a cluster, is restarted' },
  freeze: { act: freeze, silent: true, is: 'Redis, or one master, answers nothing for a while (SIGSTOP)' },
  noreplicas: { act: noreplicas, silent: false, is: 'Redis, or one master, refuses writes: min-replicas-to-write' },
  oom: { act: oom, silent: false, is: 'Redis, or one master, refuses writes: maxmemory is reached' },
  slots: { act: slots, silent: false, is: 'slots in use go to another master, keys and all', needs: 'cluster' },
  failover: {
    act: failover,
    silent: true,
    is: 'a replica takes over, in order or from a master that was killed',
    needs: 'cluster',
  },
}

/** The faults that are possible with this kind of Redis. */
export const faultsOf = (kind: StoreKind): FaultName[] =>
  faultNames.filter((name) => faults[name].needs === undefined || faults[name].needs === kind)
