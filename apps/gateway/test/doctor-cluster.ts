import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import {
  type Authority,
  type Cluster,
  createAuthority,
  freePort,
  onCleanup,
  startCluster,
  startOuterNginx,
} from '@saoma/testing'
import { type Config, readConfig } from '../src/config/config.ts'
import type { Subject } from '../src/doctor/check.ts'
import type { Finding } from '../src/doctor/finding.ts'
import { passOn, UPGRADE_MAP } from './doctor-fronts.ts'

/** A cluster behind a healthy proxy with TLS, and what the doctor is given to look at it. */
export interface DoctorCluster {
  readonly cluster: Cluster
  /** The settings of its nodes. */
  readonly config: Config
  /** The nginx of the cluster, past the healthy proxy. */
  readonly inside: string
  /** Who issued the certificate of the proxy. This process trusts it. */
  readonly authority: Authority
  /** What a check gets. @param settings  of the nodes. @default theirs */
  subject(origin: string, settings?: Config): Subject
}

/** The file of the pages that the doctor looks for. */
export const ROOT_FILE = 'saoma-login.js'

/** When a certificate ends that is good for long enough. */
export const inDays90 = (): Date => new Date(Date.now() + 90 * 86_400_000)

/** What is not fine. */
export const bad = (findings: readonly Finding[]): Finding[] => findings.filter(({ level }) => level !== 'ok')

export const found = (findings: readonly Finding[], code: string): Finding | undefined =>
  findings.find((finding) => finding.code === code)

const trust = async ({ caFile }: Authority): Promise<void> => {
  const before = getCACertificates('default')
  setDefaultCACertificates([...before, await readFile(caFile, 'utf8')])
  onCleanup(() => setDefaultCACertificates(before))
}

/** @param origins  of other proxies, which the nodes allow besides their own */
export const startDoctorCluster = async (origins: readonly string[]): Promise<DoctorCluster> => {
  const authority = createAuthority()
  await trust(authority)
  const webRoot = await mkdtemp(join(tmpdir(), 'saoma-doctor-'))
  onCleanup(() => rm(webRoot, { recursive: true, force: true }))
  await writeFile(join(webRoot, ROOT_FILE), 'export {}\n')

  const port = await freePort()
  const origin = `https://127.0.0.1:${port}`
  const settings = { SAOMA_WEB_ROOT: webRoot, SAOMA_ALLOWED_ORIGINS: origins.join(',') }
  const cluster = await startCluster({ nodes: 2, origin, nginxEnv: { NGINX_TRUST: '127.0.0.1' }, env: settings })
  const config = readConfig({
    ...settings,
    SAOMA_ORIGIN: origin,
    SAOMA_DEMO: 'true',
    SAOMA_SECRET: 'a secret of tests, which nobody keeps',
  })
  const inside = cluster.nginx.origin
  const certificate = authority.issue(['127.0.0.1'], { until: inDays90() })
  await startOuterNginx({ port, http: UPGRADE_MAP, server: passOn(inside), certificate })
  return {
    ...{ cluster, config, inside, authority },
    subject: (of, given = config) => ({ origin: of, config: given, signal: new AbortController().signal }),
  }
}
