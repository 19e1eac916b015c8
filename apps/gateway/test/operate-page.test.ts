import { spawnSync } from 'node:child_process'
import { globSync } from 'node:fs'
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import {
  ensurePrograms,
  findProgram,
  freePort,
  onCleanup,
  pageBlocks,
  plainEnv,
  refresh,
  request,
  runShell,
  startGateway,
  startProcess,
  startRedis,
  webToken,
} from '@saoma/testing'
import * as v from 'valibot'
import { parse, parseAllDocuments } from 'yaml'
import { readConfig } from '../src/config/config.ts'

/* What people copy from docs/operate.md: scrape configurations, secrets, a node by hand, its unit. */

const PAGE = 'docs/operate.md'
const root = fileURLToPath(new URL('../../../', import.meta.url))
const read = (path: string): Promise<string> => readFile(join(root, path), 'utf8')
const blocks = pageBlocks(PAGE)
const under = (heading: string, language: string): string[] => {
  const found = blocks.filter((block) => block.heading === heading && block.language === language)
  if (found.length === 0) throw new Error(`${PAGE} has no block of ${language} under "${heading}"`)
  return found.map(({ code }) => code)
}
const only = (heading: string, language: string): string => {
  const [first = '', ...more] = under(heading, language)
  if (more.length > 0) throw new Error(`${PAGE} has more than one block of ${language} under "${heading}"`)
  return first
}

const newFolder = async (): Promise<string> => {
  const folder = await mkdtemp(join(tmpdir(), 'saoma-operate-'))
  onCleanup(() => rm(folder, { recursive: true, force: true }))
  return folder
}

/** The environment of somebody who has installed the command `saoma`: here that of this repository. */
const withCommand = async (): Promise<Record<string, string | undefined>> => {
  const bin = await newFolder()
  const command = join(bin, 'saoma')
  await writeFile(command, `#!/bin/sh\nexec "${process.execPath}" "${join(root, 'apps/cli/src/main.ts')}" "$@"\n`)
  await chmod(command, 0o755)
  const { PATH } = plainEnv()
  return { ...plainEnv(), PATH: `${bin}:${PATH}` }
}

const ScrapeConfig = v.looseObject({
  job_name: v.string(),
  static_configs: v.optional(v.array(v.object({ targets: v.array(v.string()) }))),
  dns_sd_configs: v.optional(v.array(v.looseObject({ names: v.array(v.string()), port: v.number() }))),
  kubernetes_sd_configs: v.optional(v.array(v.object({ role: v.literal('pod'), namespaces: v.unknown() }))),
  relabel_configs: v.optional(v.array(v.looseObject({ regex: v.optional(v.string()) }))),
})
const Prometheus = v.looseObject({ rule_files: v.array(v.string()), scrape_configs: v.array(ScrapeConfig) })
const PLACES = ['Prometheus with compose', 'Prometheus in Kubernetes', 'Prometheus elsewhere'] as const
const jobsOf = (place: (typeof PLACES)[number]) => v.parse(Prometheus, parse(only(place, 'yaml'))).scrape_configs

test('each scrape configuration has a job of the nodes and one of nginx, by names that the alerts know', () => {
  for (const place of PLACES)
    expect([place, ...jobsOf(place).map(({ job_name }) => job_name)]).toEqual([place, 'saoma-nodes', 'saoma-nginx'])
})

test('the one for compose is that of monitoring/, and compose has its targets', async () => {
  const ours = v.parse(Prometheus, parse(await read('monitoring/prometheus.yml')))
  const jobs = jobsOf('Prometheus with compose')
  expect(jobs).toEqual(ours.scrape_configs)
  const { services } = parse(await read('docker-compose.yml'))
  const [discovery] = jobs[0]?.dns_sd_configs ?? []
  expect(discovery?.names).toEqual(['gateway'])
  expect(services.gateway).toBeDefined()
  // Compose does not change the internal port of the nodes.
  expect(await read('docker-compose.yml')).not.toMatch(/^ +INTERNAL_PORT:/m)
  const { internalPort } = readConfig({
    SAOMA_ORIGIN: 'http://a.test',
    SAOMA_SECRET: 's'.repeat(32),
    SAOMA_DEMO: 'true',
  })
  expect(discovery?.port).toBe(internalPort)
  const beside = services['nginx-metrics']
  expect(jobs[1]?.static_configs).toEqual([{ targets: [`nginx:${beside.environment.PORT}`] }])
  expect(beside.network_mode).toBe('service:nginx')
  // What the page says before: the profile, and the address that nginx reports to.
  const command = only('Prometheus with compose', 'sh')
  expect(command).toContain(`NGINX_METRICS=127.0.0.1:${beside.environment.SYSLOG_PORT}`)
  expect(command).toContain(`--profile ${beside.profiles}`)
})

test('the one for Kubernetes selects pods and ports that the objects have', async () => {
  const files = ['base/gateway/nodes', 'base/nginx/deployment', 'components/monitoring/nginx-metrics']
  const pods = new Set<string>()
  for (const file of files)
    for (const document of parseAllDocuments(await read(`k8s/${file}.yaml`))) {
      const { metadata, spec } = document.toJS()
      for (const { ports = [] } of spec.template?.spec.containers ?? [])
        for (const { name } of ports) pods.add(`${metadata.name};${name}`)
    }
  for (const { relabel_configs: rules = [], kubernetes_sd_configs: found = [] } of jobsOf('Prometheus in Kubernetes')) {
    expect([...pods]).toContain(rules[0]?.regex)
    expect(found).toEqual([{ role: 'pod', namespaces: { names: ['saoma'] } }])
  }
  expect((await read('k8s/base/namespace.yaml')).includes('name: saoma\n')).toBe(true)
})

const withPromtool = spawnSync('promtool', ['--version']).status === 0 ? test : test.skip
withPromtool('promtool finds no fault with a scrape configuration (skipped without promtool)', async () => {
  const folder = await newFolder()
  await writeFile(join(folder, 'alerts.yml'), await read('monitoring/alerts.yml'))
  for (const place of PLACES) {
    await writeFile(join(folder, 'prometheus.yml'), only(place, 'yaml'))
    const { status, stdout, stderr } = spawnSync('promtool', ['check', 'config', 'prometheus.yml'], {
      cwd: folder,
      encoding: 'utf8',
    })
    expect([place, status, status === 0 ? '' : stdout + stderr]).toEqual([place, 0, ''])
  }
})

/** Runs the commands that make the secrets. Resolves with the folder. */
const makeSecrets = async (env: Record<string, string | undefined>): Promise<string> => {
  const folder = await newFolder()
  await runShell(under('Make the secrets', 'sh')[0] ?? '', { cwd: folder, env })
  return folder
}

test('the commands make secrets that a node takes', async () => {
  const env = await withCommand()
  const folder = await makeSecrets(env)
  await writeFile(join(folder, 'secrets/wechat-secret'), `${'0'.repeat(32)}\n`)
  const config = readConfig({
    SAOMA_ORIGIN: 'https://login.example.com',
    NODE_ENV: 'production',
    SAOMA_SECRET_FILE: join(folder, 'secrets/saoma-secret'),
    SAOMA_HOOK_URL: 'https://shop.example.com/hook',
    SAOMA_HOOK_SECRET_FILE: join(folder, 'secrets/hook-secret'),
    SAOMA_API_KEYS: join(folder, 'keys/api-keys'),
    WECHAT_APPID: 'wx0123456789abcdef',
    WECHAT_SECRET_FILE: join(folder, 'secrets/wechat-secret'),
  })
  expect(config.live.apiKeys.text).toMatch(/^shop [0-9a-f]{64} room:\*,user:\*$/m)
  expect(await readFile(join(folder, 'secrets/redis-password'), 'utf8')).toMatch(/^[0-9a-f]{64}\n$/)
})

const withKubectl = findProgram('kubectl') ? test : test.skip
withKubectl('the commands make Secrets of Kubernetes from them (skipped without kubectl)', async () => {
  const env = await withCommand()
  const folder = await makeSecrets(env)
  await writeFile(join(folder, 'secrets/wechat-secret'), `${'0'.repeat(32)}\n`)
  const [, kubernetes = ''] = under('Make the secrets', 'sh')
  const dry = kubernetes.replace(/^kubectl .*$/gm, (line) => `${line} --dry-run=client -o yaml && echo ---`)
  const printed = await runShell(dry, { cwd: folder, env })
  const [secrets, keys] = parseAllDocuments(printed).map((document) => document.toJS())
  const shown = (data: Record<string, string>, name: string) => Buffer.from(data[name] ?? '', 'base64').toString()
  expect(shown(secrets.data, 'SAOMA_SECRET').length).toBeGreaterThanOrEqual(32)
  expect(shown(secrets.data, 'REDIS_URL')).toMatch(/^rediss:\/\/saoma:[0-9a-f]{64}@/)
  expect(shown(keys.data, 'api-keys')).toMatch(/^shop /m)
})

const HAND = 'One node by hand'
/** Settings from the text of a file of them. */
const settingsIn = (text: string): Record<string, string> =>
  Object.fromEntries([...text.matchAll(/^([A-Z_]+)=(.*)$/gm)].map(([, name = '', value = '']) => [name, value]))

test('the pattern with which the command is installed names its packed file alone', async () => {
  const [, pattern = ''] = /`npm install --global (\.\S+)`/.exec((await read(PAGE)).replaceAll(/\s+/g, ' ')) ?? []
  const folder = await newFolder()
  await mkdir(join(folder, '.packages'))
  const manifests = await Promise.all(globSync('{apps,packages}/*/package.json', { cwd: root }).map(read))
  const published = manifests.map((text) => JSON.parse(text)).filter(({ publishConfig }) => publishConfig)
  // As npm names a packed file.
  const files = published.map(({ name, version }) => `${name.replace('@', '').replace('/', '-')}-${version}.tgz`)
  for (const file of files) await writeFile(join(folder, '.packages', file), '')
  const command = files.find((file) => /^saoma-\d/.test(file))
  expect([files.length, command]).toEqual([5, expect.any(String)])
  expect(await runShell(`echo ${pattern}`, { cwd: folder })).toBe(`.packages/${command}\n`)
})

test('a node that is started by hand as the page says is ready', async () => {
  await ensurePrograms(['curl'], () => {})
  const [env, port, internalPort] = await Promise.all([withCommand(), freePort(), freePort()])
  const folder = await makeSecrets(env)
  await writeFile(join(folder, 'secrets/wechat-secret'), `${'0'.repeat(32)}\n`)
  // Redis has the user of the page, with the password that was made.
  const [, name = '', rights = ''] = /^ACL SETUSER (\S+) on >password (.*)$/m.exec(await read(PAGE)) ?? []
  const password = (await readFile(join(folder, 'secrets/redis-password'), 'utf8')).trim()
  const redis = await startRedis({ user: { name, rights }, password })
  const [makeUrl = '', start = '', ask = ''] = under(HAND, 'sh')
  await runShell(makeUrl.replace('6379', `${redis.port}`), { cwd: folder })
  const settings = settingsIn(under(HAND, 'ini')[0] ?? '')
  const own: Record<string, string> = { ...settings, PORT: `${port}`, INTERNAL_PORT: `${internalPort}` }
  expect(Object.keys(own).sort()).toEqual(Object.keys(settings).sort())
  const text = Object.entries(own).map(([name, value]) => `${name}=${value.replace('/etc/saoma', folder)}\n`)
  await writeFile(join(folder, 'node.env'), text.join(''))

  const node = await startProcess({
    name: 'saoma node',
    command: 'bash',
    args: ['-c', `exec ${start}`],
    cwd: folder,
    env,
    ready: ({ json }) => json?.event === 'listening',
    readyTimeoutMs: 45_000,
  })
  const readiness = await runShell(ask.replace('9090', `${internalPort}`), { cwd: folder })
  expect(JSON.parse(readiness)).toMatchObject({ ok: true, reasons: [] })
  await node.kill('SIGTERM')
  expect(await node.exited).toEqual({ code: 0, signal: null })
})

const withSystemd = spawnSync('systemd-analyze', ['--version']).status === 0 ? test : test.skip
const unit = () => under(HAND, 'ini')[1] ?? ''

test('systemd waits longer for a node than the node drains', () => {
  const seconds = Number(/^TimeoutStopSec=(\d+)$/m.exec(unit())?.[1])
  const { drain } = readConfig({ SAOMA_ORIGIN: 'http://a.test', SAOMA_SECRET: 's'.repeat(32), SAOMA_DEMO: 'true' })
  expect(seconds * 1_000).toBeGreaterThan(drain.deadlineMs)
})

test('the commands for systemd put each file where the settings and the unit look for it', () => {
  const install = under(HAND, 'sh')[3] ?? ''
  const settings = Object.values(settingsIn(under(HAND, 'ini')[0] ?? ''))
  const named = [...settings, /^EnvironmentFile=(.*)$/m.exec(unit())?.[1] ?? '']
  const [, copied = '', place = ''] = /^sudo cp -r (.*) (\S+)$/m.exec(install) ?? []
  const inPlace = copied.split(' ').map((name) => `${place}/${name}`)
  for (const file of named.filter((value) => value.startsWith('/')))
    expect([file, inPlace.some((path) => file === path || file.startsWith(`${path}/`))]).toEqual([file, true])
  const [, user] = /^User=(.*)$/m.exec(unit()) ?? []
  expect(install).toMatch(new RegExp(`^sudo useradd .* ${user}$`, 'm'))
  expect(install).toContain(`sudo chown -R ${user}:${user} ${place}\n`)
})

withSystemd('systemd finds no fault with the unit (skipped without systemd-analyze)', async () => {
  const file = join(await newFolder(), 'saoma.service')
  // There is no command saoma on this machine, but there is Node.
  await writeFile(file, unit().replace('/usr/local/bin/saoma', process.execPath))
  const { status, stdout, stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', file], { encoding: 'utf8' })
  const complaints = `${stdout}${stderr}`.split('\n').filter((line) => line.includes('saoma.service'))
  expect([status, complaints]).toEqual([0, []])
})

test('an ordinary rotation of SAOMA_SECRET logs nobody out', async () => {
  const redis = await startRedis()
  const [old, fresh] = ['the former secret of a test, of the last year', 'the new secret of a test, of this year']
  const start = (env: Record<string, string>) =>
    startGateway({ redisUrl: redis.url, nodeId: 'a', origin: 'http://rotation.test', env })
  const before = await start({ SAOMA_SECRET: old })
  const person = await webToken(before.origin, 'ada')
  await before.stop()

  const after = await start({ SAOMA_SECRET: fresh, SAOMA_PREVIOUS_SECRET: old })
  const sessions = await request(`${after.origin}/v1/sessions`, { bearer: person.access_token })
  expect(sessions).toMatchObject({ status: 200, body: { sessions: [{ current: true }] } })
  expect(await refresh(after.origin, person.refresh_token)).toMatchObject({ status: 200 })
})
