/*
 * Carries out docs/start.md, "From packages", as it is written, in an empty folder that has nothing of this
 * repository but the packed files. Then it breaks what an operator breaks, and looks whether `saoma doctor`
 * says so.
 *
 *   npm run first-steps
 *   npm run first-steps -- --folder /tmp/hello     in this empty folder, which stays afterwards
 *   npm run first-steps -- --pinned                with known majors of the packages of others
 *
 * It needs a connection to npm's registry, and Chromium.
 */

import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { parseArgs, parseEnv } from 'node:util'
import {
  cleanUp,
  type Documented,
  documented,
  ensurePrograms,
  freePort,
  launchBrowser,
  onCleanup,
  type ProcessOptions,
  plainEnv,
  startProcess,
} from '@saoma/testing'
import { packPackages } from './packages.ts'

const PAGE = 'docs/start.md'
const SECTION = 'From packages'
/** Where the page has the packed files. */
const PACKED = '../saoma/.packages'
/** The addresses on that page. */
const [PORT_OF_CLUSTER, PORT_OF_PAGE] = ['8080', '3000']
/**
 * What the page installs of others, with the majors that it was written for. `--pinned` takes these. The
 * night takes the newest, as the page says.
 */
const MAJORS: Readonly<Record<string, number>> = { react: 19, 'react-dom': 19, express: 5, vite: 8 }
const INSTALL_MS = 240_000
const RUN_MS = 120_000
/** How often the doctor is asked until it sees what was broken. */
const MOST_LOOKS = 5
/** In place of `proxy_buffering off`. Without compression nginx passes on each piece as it comes. */
const BUFFERING =
  'proxy_buffering on; proxy_ignore_headers X-Accel-Buffering; gzip on; gzip_min_length 1; gzip_types text/event-stream;'

const say = (sentence: string): void => console.log(sentence)

/** What the doctor prints with --json, as far as it is read here. */
interface Report {
  findings: { code: string; level: string; says: string }[]
}

interface Ended {
  code: number
  text: string
}

/** An empty folder, and how a person works in it. */
const createPlace = async (folder: string, ports: { cluster: number; page: number }) => {
  const { HTTPS_PROXY, NODE_EXTRA_CA_CERTS, npm_config_registry, npm_config_cafile } = process.env
  const PATH = `${dirname(process.execPath)}:${process.env.PATH}`
  const env = { ...plainEnv(), HTTPS_PROXY, NODE_EXTRA_CA_CERTS, npm_config_registry, npm_config_cafile, PATH }
  /** What the page says, with the addresses of this run. */
  const here = (text: string): string =>
    text.replaceAll(`:${PORT_OF_CLUSTER}`, `:${ports.cluster}`).replaceAll(PORT_OF_PAGE, `${ports.page}`)
  const shell = (command: string): ProcessOptions => ({
    name: command,
    command: '/bin/sh',
    args: ['-ec', here(command)],
    cwd: folder,
    env,
    forks: true,
  })
  const start = (command: string, ready: string) =>
    startProcess({ ...shell(command), ready: ({ text }) => text.includes(ready), readyTimeoutMs: RUN_MS })
  const run = async (command: string, timeoutMs = RUN_MS): Promise<Ended> => {
    const lines: string[] = []
    const running = await startProcess({ ...shell(command), onLine: ({ text }) => lines.push(text) })
    const timer = setTimeout(() => void running.kill('SIGKILL'), timeoutMs)
    const { code } = await running.exited
    clearTimeout(timer)
    return { code: code ?? 1, text: lines.join('\n') }
  }
  const expectRun = async (command: string, timeoutMs?: number): Promise<string> => {
    say(`$ ${here(command)}`)
    const { code, text } = await run(command, timeoutMs)
    if (code !== 0) throw new Error(`${command} ended with ${code}:\n${text}`)
    return text
  }
  return {
    folder,
    here,
    start,
    run,
    expectRun,
    write: (file: string, text: string) => writeFile(join(folder, file), here(text)),
  }
}
type Place = Awaited<ReturnType<typeof createPlace>>

/** The blocks of the page, each of which is used once. */
const takeBlocks = () => {
  const left = documented(PAGE, SECTION)
  const take = (what: string, fits: (block: Documented) => boolean): string => {
    const at = left.findIndex(fits)
    const [block] = at < 0 ? [] : left.splice(at, 1)
    if (!block) throw new Error(`${PAGE} has no block that ${what}`)
    return block.code
  }
  return {
    command: (words: string) =>
      take(`says ${words}`, ({ language, code }) => language === 'sh' && code.includes(words)),
    file: (language: string) => take(`is ${language}`, (block) => block.language === language),
    assertUsed: () => {
      const [block] = left
      if (block) throw new Error(`This block of ${PAGE} was not carried out:\n${block.code}`)
    },
  }
}

/** The command as it is written, with another folder of packed files than that of a clone beside it. */
const installFrom = (packedIn: string, command: string): string => {
  if (!command.includes(PACKED)) throw new Error(`${PAGE} installs nothing from ${PACKED}: ${command}`)
  return command.replaceAll(PACKED, packedIn)
}

/** The command with a major behind each package of others. */
const withMajors = (command: string): string => {
  const words = command.split(/(\s+)/)
  const missing = Object.keys(MAJORS).filter((name) => !words.includes(name))
  if (missing.length > 0) throw new Error(`${PAGE} does not install ${missing.join(' and ')}`)
  return words.map((word) => (MAJORS[word] === undefined ? word : `${word}@${MAJORS[word]}`)).join('')
}

const logInAndAsk = async (page: string): Promise<void> => {
  const browser = await launchBrowser()
  const context = await browser.newContext()
  const tab = await context.newPage()
  await tab.goto(page)
  const link = tab.getByRole('link', { name: 'Open the phone page' })
  const address = await link.getAttribute('href')
  const phone = await context.newPage()
  await phone.goto(new URL(address ?? '', page).href)
  await phone.getByRole('button', { name: 'Ada Lovelace' }).click()
  await phone.getByRole('button', { name: 'Confirm' }).click()
  await tab.getByText('Hello, Ada Lovelace').waitFor()
  say('The page says "Hello, Ada Lovelace".')
  await tab.getByRole('button', { name: 'Ask the backend' }).click()
  await tab.getByRole('listitem').filter({ hasText: 'hello from the backend' }).waitFor()
  say('The message of the backend has arrived on the page.')
  await browser.close()
}

const examine = async (place: Place, options = ''): Promise<{ code: number; wrong: Report['findings'] }> => {
  const { code, text } = await place.run(`npx saoma doctor --json ${options}`)
  const { findings } = JSON.parse(text.slice(text.indexOf('{'))) as Report
  return { code, wrong: findings.filter(({ level }) => level === 'error') }
}

const assertGreen = async (place: Place): Promise<void> => {
  const { code, wrong } = await examine(place)
  if (code !== 0 || wrong.length > 0) throw new Error(`The doctor finds something wrong:\n${JSON.stringify(wrong)}`)
  say('The doctor finds nothing wrong.')
}

/** What was broken may take effect a moment later. */
const assertRed = async (place: Place, expected: string, options = ''): Promise<void> => {
  let said = ''
  for (let looks = 0; looks < MOST_LOOKS; looks++) {
    const { code, wrong } = await examine(place, options)
    const found = wrong.find((finding) => finding.code === expected)
    if (code === 1 && found) return say(`✗ ${found.code}: ${found.says}`)
    said = JSON.stringify(wrong)
  }
  throw new Error(`The doctor does not find ${expected}, but ${said}`)
}

/** One command to Redis, in its inline form. */
const tellRedis = (url: string, command: string): Promise<void> =>
  new Promise((resolve, reject) => {
    const { hostname, port } = new URL(url)
    const socket = connect(Number(port), hostname, () => socket.write(`${command}\r\n`))
    socket.once('error', reject)
    socket.once('data', (bytes) => {
      socket.destroy()
      if (`${bytes}`.startsWith('+OK')) resolve()
      else reject(new Error(`Redis answers ${bytes}`))
    })
  })

const breakEach = async (place: Place): Promise<void> => {
  const { REDIS_URL = '' } = parseEnv(await readFile(join(place.folder, '.saoma/cluster.env'), 'utf8'))
  say('\nRedis may throw data away:')
  await tellRedis(REDIS_URL, 'CONFIG SET maxmemory 1gb')
  await tellRedis(REDIS_URL, 'CONFIG SET maxmemory-policy allkeys-lru')
  await assertRed(place, 'redis-eviction')
  await tellRedis(REDIS_URL, 'CONFIG SET maxmemory-policy noeviction')

  say('\nThe proxy keeps what a node streams:')
  const template = join(place.folder, 'node_modules/saoma/dist/nginx/nginx.conf.template')
  const sound = await readFile(template, 'utf8')
  const reload = `kill -HUP "$(pgrep -f '${place.folder}/node_modules/saoma/dist/nginx/run[.]sh' | head -1)"`
  await writeFile(template, sound.replaceAll('proxy_buffering off;', BUFFERING))
  await place.expectRun(reload)
  await assertRed(place, 'event-stream')
  await writeFile(template, sound)
  await place.expectRun(reload)

  say('\nThe origin leads to something else:')
  await assertRed(place, 'origin-cluster', `--origin http://127.0.0.1:${PORT_OF_PAGE}`)

  say('\nAll is as before:')
  await assertGreen(place)
}

const firstSteps = async (folder: string, isPinned: boolean): Promise<void> => {
  if ((await readdir(folder)).length > 0) throw new Error(`${folder} is not empty`)
  await ensurePrograms(['redis', 'nginx', 'chromium'], say)
  const packedIn = await mkdtemp(join(tmpdir(), 'saoma-packed-'))
  onCleanup(() => rm(packedIn, { recursive: true, force: true }))
  await packPackages(packedIn)
  const ports = { cluster: await freePort(), page: await freePort() }
  const place = await createPlace(folder, ports)
  const blocks = takeBlocks()

  const install = installFrom(packedIn, blocks.command('npm install'))
  await place.expectRun(isPinned ? withMajors(install) : install, INSTALL_MS)
  const start = `${blocks.command('saoma start').trim()} --port ${ports.cluster}`
  say(`$ ${place.here(start)}`)
  await place.start(start, 'Saoma is up')
  await place.expectRun(blocks.command('saoma key create'))
  await place.write('index.html', blocks.file('html'))
  await place.write('page.jsx', blocks.file('jsx'))
  await place.write('server.js', blocks.file('js'))
  const [build = '', serve = ''] = blocks.command('vite build').trim().split('\n')
  await place.expectRun(build)
  say(`$ ${serve}`)
  await place.start(serve, 'ready')
  await logInAndAsk(`http://127.0.0.1:${ports.page}`)
  say(await place.expectRun(blocks.command('saoma doctor')))
  blocks.assertUsed()
  await breakEach(place)
}

const main = async (): Promise<void> => {
  const { values } = parseArgs({ options: { folder: { type: 'string' }, pinned: { type: 'boolean', default: false } } })
  const folder = values.folder ?? (await mkdtemp(join(tmpdir(), 'saoma-first-steps-')))
  if (values.folder) await mkdir(folder, { recursive: true })
  try {
    await firstSteps(folder, values.pinned)
    say('\nEverything is as docs/start.md says.')
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error))
    process.exitCode = 1
  } finally {
    await cleanUp()
    if (!values.folder) await rm(folder, { recursive: true, force: true })
  }
}

await main()
