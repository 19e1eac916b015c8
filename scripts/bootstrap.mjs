// Every npm script starts here, on any Node from 20, even before the npm packages are installed. It installs
// the packages if they are missing or differ from package-lock.json. Then it runs the script with the Node
// that is one of the packages, or with the Node of RUN_WITH_NODE:
//
//   node scripts/bootstrap.mjs <script> [arguments]
//   RUN_WITH_NODE=/path/to/node npm test

import { spawn, spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { constants } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The oldest Node that runs this file and npm. */
const OLDEST_NODE = 20
/** The oldest Node for everything else. package.json pins a newer one. */
const WANTED_NODE = 24
/** Interval of the check whether npm still runs. */
const PARENT_MS = 500

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const pinnedNode = join(root, 'node_modules/node/bin/node')

const fail = (sentence) => {
  console.error(sentence)
  process.exit(1)
}

const majorOf = (version) => Number(version.replace(/^v/, '').split('.')[0])

/**
 * Whether node_modules matches package-lock.json. Optional packages depend on the platform and are ignored.
 */
const isInstalled = () => {
  try {
    const read = (file) => JSON.parse(readFileSync(join(root, file), 'utf8')).packages
    const installed = read('node_modules/.package-lock.json')
    return Object.entries(read('package-lock.json')).every(
      ([path, { version, optional }]) => path === '' || optional || installed[path]?.version === version,
    )
  } catch {
    return false // A file is missing or incomplete, so npm must install again.
  }
}

const install = () => {
  console.error('Installing the npm packages.')
  // npm passes its own path to its scripts. Outside of npm, use the one on the PATH.
  const npm = process.env.npm_execpath
  const [command, args] = npm ? [process.execPath, [npm]] : ['npm', []]
  // Do not use `npm ci`: the lock file lists optional packages of one platform only, and `npm ci` fails on
  // the others. `npm install --no-save` installs the same versions and does not change the lock file. Log
  // level error: this npm may belong to an older Node than the one that runs the packages, and would warn
  // about each package.
  const flags = ['--no-save', '--no-audit', '--no-fund', '--loglevel=error']
  const { status, error } = spawnSync(command, [...args, 'install', ...flags], {
    cwd: root,
    // Removes npm's own variables, because the install scripts of packages must not see them.
    env: Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('npm_package_'))),
    stdio: ['ignore', 2, 2],
  })
  if (error) fail(`npm cannot be run: ${error.message}`)
  if (status !== 0) fail('npm install failed, see above.')
}

/** Whether this program is a Node that is new enough. */
const willDo = (program) => {
  const { stdout, status } = spawnSync(program, ['--version'], { encoding: 'utf8' })
  return status === 0 && majorOf(stdout) >= WANTED_NODE
}

/** The Node of RUN_WITH_NODE; else the pinned one; else the current one, if it is new enough. */
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

/** Whether the port is free. The program itself reports all other errors. */
const isFree = (port, host) =>
  new Promise((resolve) => {
    const server = createServer()
    server.once('error', ({ code }) => resolve(code !== 'EADDRINUSE'))
    server.listen(port, host, () => server.close(() => resolve(true)))
  })

/** Checks the port first, because installing takes a minute. */
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
  // Behind `--`, because Node would take options such as --env-file for its own.
  const child = spawn(node, ['--', join(root, script), ...args], {
    cwd: root,
    env: { ...process.env, PATH: `${dirname(node)}:${process.env.PATH}` },
    stdio: 'inherit',
  })
  child.once('error', (error) => fail(`${script} cannot be run: ${error.message}`))
  // The child decides how to handle a signal. This process ends with the child.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  // A killed npm sends no signal. So when npm is gone, its child must end too.
  const parent = process.ppid
  const watch = setInterval(() => {
    if (process.ppid === parent) return
    clearInterval(watch)
    child.kill('SIGTERM')
  }, PARENT_MS)
  if (!process.env.npm_lifecycle_event) clearInterval(watch)
  child.once('exit', (code, signal) => process.exit(code ?? 128 + constants.signals[signal]))
}
