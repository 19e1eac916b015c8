import { readFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import type { Gateway } from './gateway.ts'
import type { Exit } from './process.ts'
import { request } from './request.ts'

/** Times of a pod's specification, in milliseconds. */
export interface PodTimes {
  /** How long the preStop hook sleeps. */
  preStopMs: number
  /** From the start of that hook to SIGKILL. */
  graceMs: number
  /** Between two probes. */
  periodMs: number
  /** Longest time until the pod must be ready. */
  startMs: number
}

/** How the old process of a pod ended. */
export interface Replacement {
  exit: Exit
  /** From SIGTERM to its end. */
  stopMs: number
}

const PROBE_TIMEOUT_MS = 1_000
/** Kubernetes would wait for ever. */
const START_MS = 60_000
const manifest = new URL('../../../k8s/base/gateway/nodes.yaml', import.meta.url)

/** The times in the project's own manifest. */
export const readPodTimes = async (): Promise<PodTimes> => {
  // Loaded on demand: most tests do not need it.
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
 * Simulates what Kubernetes does with the pods of a set, on processes: probes, preStop, SIGTERM, grace period
 * and replacement.
 */
export const createKubelet = ({ preStopMs, graceMs, periodMs, startMs }: PodTimes) => {
  const passes = async (node: Gateway, path: string): Promise<boolean> => {
    const answer = await request(`${node.internalOrigin}${path}`, { timeoutMs: PROBE_TIMEOUT_MS }).catch(
      () => undefined,
    )
    return answer?.status === 200
  }

  /** Probes until it succeeds, like a kubelet. */
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
     * A rolling update like a StatefulSet's: from the last pod to the first, each one after the previous one
     * is ready.
     *
     * @param between  changes the settings of the new process
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
