import { readFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import type { Gateway } from './gateway.ts'
import type { Exit } from './process.ts'
import { request } from './request.ts'

/** What a pod's specification says about its end and its beginning, in milliseconds. */
export interface PodTimes {
  /** How long the hook before SIGTERM sleeps. */
  preStopMs: number
  /** From the beginning of that hook to SIGKILL. */
  graceMs: number
  /** Between two probes. */
  periodMs: number
  /** Most time until it must be ready. */
  startMs: number
}

/** How the old process of a pod went. */
export interface Replacement {
  exit: Exit
  /** From SIGTERM to its end. */
  stopMs: number
}

const PROBE_TIMEOUT_MS = 1_000
/** Kubernetes would wait for ever. */
const START_MS = 60_000
const manifest = new URL('../../../k8s/base/gateway/nodes.yaml', import.meta.url)

/** What the project's own manifest says of a node. */
export const readPodTimes = async (): Promise<PodTimes> => {
  // Loaded when it is wanted: most tests want none of it.
  const { parse } = await import('yaml')
  const { spec } = parse(await readFile(manifest, 'utf8')).spec.template
  const [{ lifecycle, readinessProbe }] = spec.containers
  return {
    preStopMs: lifecycle.preStop.sleep.seconds * 1_000,
    graceMs: spec.terminationGracePeriodSeconds * 1_000,
    periodMs: readinessProbe.periodSeconds * 1_000,
    startMs: START_MS,
  }
}

/**
 * Plays what Kubernetes does with the pods of a set, on processes: probe, preStop, SIGTERM, grace period,
 * replacement, one after the other.
 */
export const createKubelet = ({ preStopMs, graceMs, periodMs, startMs }: PodTimes) => {
  const passes = async (node: Gateway, path: string): Promise<boolean> => {
    const answer = await request(`${node.internalOrigin}${path}`, { timeoutMs: PROBE_TIMEOUT_MS }).catch(
      () => undefined,
    )
    return answer?.status === 200
  }

  /** Probes until it passes: that is the waiting which a kubelet does. */
  const until = async (node: Gateway, path: string): Promise<void> => {
    const deadline = performance.now() + startMs
    while (!(await passes(node, path))) {
      if (performance.now() > deadline) throw new Error(`${node.name} does not pass ${path} after ${startMs} ms`)
      await delay(periodMs)
    }
  }

  const replace = async (node: Gateway, between: (node: Gateway) => Promise<void>): Promise<Replacement> => {
    await delay(preStopMs)
    const told = performance.now()
    const forced = setTimeout(() => void node.kill('SIGKILL'), graceMs - preStopMs)
    await node.kill('SIGTERM')
    clearTimeout(forced)
    const gone = { exit: await node.exited, stopMs: performance.now() - told }
    await between(node)
    await node.restart()
    await until(node, '/readyz')
    return gone
  }

  return {
    /**
     * As a StatefulSet does: from the last pod to the first, each only when the one before is ready.
     *
     * @param between  changes what is to be another in the new process
     */
    rollingUpdate: async (
      nodes: readonly Gateway[],
      between: (node: Gateway) => Promise<void> = async () => {},
    ): Promise<Replacement[]> => {
      const replaced: Replacement[] = []
      for (const node of nodes.toReversed()) replaced.push(await replace(node, between))
      return replaced
    },
  }
}
