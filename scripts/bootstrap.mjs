// Every npm script starts here: on any Node from 20, before the npm packages are there. It installs those
// when they are missing or not the ones that package-lock.json names, and goes on in the Node that is one of
// them, or in the one that RUN_WITH_NODE names:
//
//   node scripts/bootstrap.mjs <script> [arguments]
//   RUN_WITH_NODE=/path/to/node npm test

import { spawn, spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { constants } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** This file and npm run on it. */
const OLDEST_NODE = 20
/** Everything else runs on it; package.json pins a newer one. */
const WANTED_NODE = 24
/** Between two looks at whether npm is still there. */
const PARENT_MS = 500

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const pinnedNode = join(root, 'node_modules/node/bin/node')

const fail = (sentence) => {
  console.error(sentence)
  process.exit(1)
}

const majorOf = (version) => Number(version.replace(/^v/, '').split('.')[0])

/**
 * Whether node_modules holds what package-lock.json names. Optional packages depend on the machine and do not
 * count.
 */
const isInstalled = () => {
  try {
    const read = (file) => JSON.parse(readFileSync(join(root, file), 'utf8')).packages
    const installed = read('node_modules/.package-lock.json')
    return Object.entries(read('package-lock.json')).every(
      ([path, { version, optional }]) => path === '' || optional || installed[path]?.version === version,
    )
  } catch {
    return false // One of the files is missing, or was cut short: npm writes them anew.
  }
}

const install = () => {
  console.error('Installing the npm packages.')
  // npm tells its scripts where it is itself; without that it is on the PATH.
  const npm = process.env.npm_execpath
  const [command, args] = npm ? [process.execPath, [npm]] : ['npm', []]
  // Not `npm ci`: it refuses a lock file that lacks the optional packages of some other platform, which
  // depends on where the lock was written. This installs the versions of the lock file just the same, and
  // leaves the file alone. Errors only: this npm may belong to an older Node than the one that will run the
  // packages, and would warn about each.
  const flags = ['--no-save', '--no-audit', '--no-fund', '--loglevel=error']
  const { status, error } = spawnSync(command, [...args, 'install', ...flags], {
    cwd: root,
    // The scripts of packages must see a plain environment, not that of the npm script we are in.
    env: Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('npm_package_'))),
    stdio: ['ignore', 2, 2],
  })
  if (error) fail(`npm cannot be run: ${error.message}`)
  if (status !== 0) fail('npm install failed, see above.')
}

/** Whether that program is a Node that will do. */
const willDo = (program) => {
  const { stdout, status } = spawnSync(program, ['--version'], { encoding: 'utf8' })
  return status === 0 && majorOf(stdout) >= WANTED_NODE
}

/** The Node that a person asked for; else the pinned one; else the one that runs this, when it will do. */
const findNode = () => {
  const asked = process.env.RUN_WITH_NODE
  if (asked) return willDo(asked) ? asked : fail(`RUN_WITH_NODE is ${asked}, which is no Node ${WANTED_NODE} or newer.`)
  if (existsSync(pinnedNode) && willDo(pinnedNode)) return pinnedNode
  if (majorOf(process.version) >= WANTED_NODE) return process.execPath
  return fail(
    `Node ${WANTED_NODE} is not there: npm was not allowed to run install scripts. Run: npm rebuild node (or use Node ${WANTED_NODE} or newer yourself)`,
  )
}

if (majorOf(process.version) < OLDEST_NODE)
  fail(`This is Node ${process.version}. Saoma needs Node ${OLDEST_NODE} or newer: https://nodejs.org`)
if (process.platform === 'win32') fail('Saoma runs on Linux and macOS. On Windows use WSL.')

const [script, ...args] = process.argv.slice(2)

/** Whether nobody listens there; the program itself says what else may be wrong. */
const isFree = (port, host) =>
  new Promise((resolve) => {
    const server = createServer()
    server.once('error', ({ code }) => resolve(code !== 'EADDRINUSE'))
    server.listen(port, host, () => server.close(() => resolve(true)))
  })

/** Installing takes a minute: nobody should wait for it to be told that the port is taken. */
const lookAtPort = async () => {
  const [, text = '8080'] = /--port[= ](\d+)/.exec(args.join(' ')) ?? []
  const port = Number(text)
  if (port < 1 || port > 65_535 || args.includes('--help')) return
  if (!(await isFree(port, args.includes('--lan') ? '0.0.0.0' : '127.0.0.1')))
    fail(`Port ${port} is in use. Choose another: npm start -- --port ${port + 1}`)
}

if (!isInstalled()) {
  if (script === 'apps/local/src/main.ts') await lookAtPort()
  install()
}
const node = findNode()
if (script) {
  const child = spawn(node, [join(root, script), ...args], {
    cwd: root,
    env: { ...process.env, PATH: `${dirname(node)}:${process.env.PATH}` },
    stdio: 'inherit',
  })
  child.once('error', (error) => fail(`${script} cannot be run: ${error.message}`))
  // The child decides what a signal means; this process lives as long as it does.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  // npm that is killed tells nobody. Without it, what it started ends too.
  const parent = process.ppid
  const watch = setInterval(() => {
    if (process.ppid === parent) return
    clearInterval(watch)
    child.kill('SIGTERM')
  }, PARENT_MS)
  if (!process.env.npm_lifecycle_event) clearInterval(watch)
  child.once('exit', (code, signal) => process.exit(code ?? 128 + constants.signals[signal]))
}
