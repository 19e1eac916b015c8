import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { freePort, nodeFlags, plainEnv, startProcess } from '@saoma/testing'
import { programs } from '../src/programs.ts'
import { main, newFolder, root, runProgram, saoma } from './saoma.ts'

const ESCAPE = '\u001b['

test('saoma alone prints its help as an error', async () => {
  const [alone, asked] = await Promise.all([saoma([]), saoma(['--help'])])
  expect(alone).toEqual({ code: 2, text: asked.text })
  expect(asked.code).toBe(0)
  for (const { name } of programs) expect(asked.text).toMatch(new RegExp(`^  ${name} `, 'm'))
  for (const name of ['node', 'init', 'completion', 'help']) expect(asked.text).toMatch(new RegExp(`^  ${name} `, 'm'))
  expect(asked.text).toContain('Examples:')
  const { text } = await saoma(['start', '--help'])
  const [, port = 'none'] = /--port N .*\(default (\d+)\)/.exec(text) ?? []
  expect(asked.text).toMatch(new RegExp(`^  start .*${port}`, 'm'))
})

test('--version is the version of the workspaces', async () => {
  const { version } = JSON.parse(readFileSync(join(root, 'apps/gateway/package.json'), 'utf8'))
  expect(await saoma(['--version'])).toEqual({ code: 0, text: version })
})

test.each([
  [['strat'], "Unknown command 'strat'. Did you mean start?"],
  [['--colour'], "Unknown option '--colour'"],
  [['init', '--orign', 'x'], "Unknown option '--orign'. Did you mean --origin?"],
  [['init', '--origin', 'https://a.example/b'], 'It must be such as https://login.example.com, without a path.'],
  [['init', 'a', 'b'], "Too many arguments for 'init'. Expected 1 argument but got 2: a, b."],
  [['node', 'x'], "Too many arguments for 'node'. Expected 0 arguments but got 1: x."],
  [['node', '--env-file', 'none.env'], "argument 'none.env' is invalid. It cannot be read (ENOENT)."],
  [['node', '--env-file=.'], "argument '.' is invalid. It is a folder."],
  [['key', 'list', '--env-file', 'none.env'], 'The file of settings none.env cannot be read (ENOENT).'],
  [['pool', 'list', '--env-file', 'none.env'], 'The file of settings none.env cannot be read (ENOENT).'],
  [['doctor', '--env-file', 'none.env'], 'The file of settings none.env cannot be read (ENOENT).'],
  [['completion'], "Missing required argument 'shell'"],
  [['completion', 'csh'], 'Allowed choices are bash, zsh, fish.'],
  [['key', 'make'], 'There is no command "make".'],
  [['pool', 'refill'], 'There is no command "refill".'],
  [['audit', 'erase'], 'There is no command "erase".'],
  [['start', '--nodes', '99'], '--nodes must be a whole number from 1 to 16, not 99'],
  [['load', '--what'], "Unknown option '--what'"],
])('%j is wrong usage, and says why', async (args, sentence) => {
  const { code, text } = await saoma(args)
  expect([code, text]).toEqual([2, expect.stringContaining(sentence)])
})

test.each([
  ['key', 'Usage: saoma key <command> [options]'],
  ['pool', 'Usage: saoma pool <command>'],
  ['accounts', 'Usage: saoma accounts <command> [options]'],
  ['audit', 'Usage: saoma audit <command>'],
  ['load', 'Exit code: 0 all as expected'],
  ['start', '--lan '],
])('the help of %s is that of its program', async (name, words) => {
  const [asked, helped] = await Promise.all([saoma([name, '--help']), saoma(['help', name])])
  expect(asked).toEqual({ code: 0, text: expect.stringContaining(words) })
  expect(helped).toEqual(asked)
})

test('a program gets its arguments as they are, and its exit code is that of the command', async () => {
  const folder = await newFolder()
  const made = await saoma(['key', 'create', 'shop', 'room:*,user:*', '--file', 'keys'], { cwd: folder })
  expect(made.code).toBe(0)
  expect(await readFile(join(folder, 'keys'), 'utf8')).toMatch(/^shop [0-9a-f]{64} room:\*,user:\*\n$/)
  const missing = await saoma(['key', 'revoke', '--file=keys', '--', '-x'], { cwd: folder })
  expect(missing).toEqual({ code: 1, text: `${join(folder, 'keys')} has no key -x.` })
})

test('saoma node becomes the node, with its flags and settings, and ends as it does', async () => {
  const folder = await newFolder()
  const redis = `127.0.0.1:${await freePort()}`
  await writeFile(
    join(folder, 'node.env'),
    `SAOMA_ORIGIN=http://127.0.0.1:1\nSAOMA_SECRET=${'x'.repeat(32)}\nSAOMA_DEMO=true\nREDIS_URL=redis://${redis}\nHOST=127.0.0.1\nPORT=0\nINTERNAL_PORT=0\n`,
  )
  const node = await startProcess({
    name: 'saoma node',
    command: process.execPath,
    args: [main, 'node', '--env-file', 'node.env'],
    env: { ...plainEnv(), SAOMA_NODE_ID: 'mine' },
    cwd: folder,
  })
  const waiting = await node.nextLine(({ json }) => json?.event === 'waiting')
  expect(waiting.json).toMatchObject({ node: 'mine' })
  expect(waiting.text).toContain(redis)
  const command = execFileSync('ps', ['-p', `${node.pid}`, '-o', 'args='], { encoding: 'utf8' })
  expect(command).toContain(`${nodeFlags.join(' ')} --env-file=node.env -- ${join(root, 'apps/gateway/src/main.ts')}`)
  await node.kill('SIGTERM')
  expect(await node.exited).toEqual({ code: 0, signal: null })
  expect(node.lines.at(-1)?.json).toMatchObject({ event: 'stopped' })
})

test('without a terminal there are no colours', async () => {
  const folder = await newFolder()
  const colours = (text: string) => text.split(ESCAPE).length - 1
  for (const args of [['--help'], ['init', 'one'], ['help', 'init'], ['strat']])
    expect([args, colours((await saoma(args, { cwd: folder })).text)]).toEqual([args, 0])
  // What a terminal would get.
  const forced = { env: { FORCE_COLOR: '1' }, cwd: folder }
  expect(colours((await saoma(['--help'], forced)).text)).toBeGreaterThan(0)
  expect(colours((await saoma(['init', 'two'], forced)).text)).toBeGreaterThan(0)
})

test('an old Node gets one sentence, before anything else is loaded', async () => {
  const old = "Object.defineProperty(process, 'versions', { value: { node: '22.1.0' } });"
  const preload = `data:text/javascript,${encodeURIComponent(old)}`
  const file = join(await newFolder(), 'main.ts')
  // Alone in its folder it could load nothing.
  await writeFile(file, await readFile(main, 'utf8'))
  expect(await runProgram(process.execPath, ['--import', preload, file])).toEqual({
    code: 1,
    text: `This is Node ${process.version}. saoma needs Node 24 or newer: https://nodejs.org`,
  })
})
