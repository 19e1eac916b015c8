import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Cluster, createWx, startCluster } from '@saoma/testing'
import { createWxFetch, createWxPage, createWxTransport, type Wx } from '../../src/wx/index.ts'
import { build } from '../build.ts'
import type { Environment } from '../environment.ts'
import { liveContract, liveRules } from '../live-contract.ts'
import { frameworks, runPage, settingsOf } from './frameworks.ts'

/** The framework's object for a phone's `wx`. */
type Framework = (wx: object) => Wx

const make = async (code: string): Promise<Framework> => {
  const text = await readFile(join(await build(code, settingsOf), 'page.js'), 'utf8')
  return (wx) => runPage(text, wx).default
}

describe.each(frameworks)('in %s', (_, code) => {
  let cluster: Cluster
  let framework: Framework

  beforeAll(async () => {
    const env = { SAOMA_CHANNELS: JSON.stringify(liveRules) }
    ;[cluster, framework] = await Promise.all([startCluster({ nodes: 2, env }), make(code)])
  })

  const environment: Environment = {
    doors: ['socket', 'poll'],
    surroundings: () => {
      const { wx: own, now } = createWx()
      const wx = framework(own)
      return { transports: [createWxTransport(wx, { now })], fetch: createWxFetch(wx), page: createWxPage(wx) }
    },
  }
  liveContract(environment, () => cluster)

  test('a failed or aborted request rejects and leaves no unhandled rejection', async () => {
    const { wx } = createWx()
    const fetch = createWxFetch(framework(wx))
    const unhandled: unknown[] = []
    const hear = (reason: unknown) => unhandled.push(reason)
    process.on('unhandledRejection', hear)
    await expect(fetch('http://127.0.0.1:9/')).rejects.toBeInstanceOf(TypeError)
    const stopped = new AbortController()
    const asked = fetch(`${cluster.origin}/oidc/jwks`, { signal: stopped.signal })
    stopped.abort()
    await expect(asked).rejects.toMatchObject({ name: 'AbortError' })
    // Rejections that nobody took are told after the tasks of now.
    await new Promise((resolve) => setImmediate(resolve))
    process.off('unhandledRejection', hear)
    expect(unhandled).toEqual([])
  })
})
