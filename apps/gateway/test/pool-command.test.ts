import { readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { freePort, plainEnv, startProcess } from '@saoma/testing'
import { createBudget, createWechat } from '@saoma/wechat'
import { createPoolCommands } from '../src/bin/pool-commands.ts'
import { readPoolCommand } from '../src/bin/read-pool-command.ts'
import { type PoolNodes, startPoolNodes } from './pool-nodes.ts'

const script = fileURLToPath(new URL('../src/bin/pool.ts', import.meta.url))

let nodes: PoolNodes
beforeAll(async () => {
  nodes = await startPoolNodes({ nodes: 0 })
})

const start = (args: string[], env: Record<string, string> = {}) =>
  startProcess({
    name: `pool ${args.join(' ')}`,
    command: process.execPath,
    args: [script, ...args],
    env: { ...plainEnv(), ...nodes.settings, ...env },
  })
/** The command line of an operator in this process, which is there already. */
const run = async (...args: string[]): Promise<{ isGood: boolean | undefined; lines: string[] }> => {
  const { clients, pool, store, simulator } = nodes
  const { WECHAT_APPID: appid, WECHAT_SECRET: secret, WECHAT_API: api } = simulator.env
  const wechat = createWechat(clients, { appid, secret, api, page: 'pages/login/index' })
  const lines: string[] = []
  const commands = createPoolCommands({
    pool,
    store,
    wechat,
    budget: createBudget(clients, appid),
    say: (line) => lines.push(line),
    signal: new AbortController().signal,
  })
  const asked = readPoolCommand(args)
  const isGood = asked.kind === 'command' ? await asked.run(commands, { max: 10_000 }) : undefined
  wechat.close()
  return { isGood, lines }
}
const known = async (): Promise<string[]> => {
  const scenes: string[] = []
  for await (const { scene } of nodes.pool.list()) scenes.push(scene)
  return scenes.sort()
}

/** What lies in the store but for its own mark. */
const pictures = async () => (await readdir(nodes.folder)).filter((name) => !name.startsWith('.'))

test('two fills at once make what each was asked for, and list shows every code', async () => {
  const fills = await Promise.all(['12', '9'].map((codes) => start(['fill', codes])))
  expect(await Promise.all(fills.map(({ exited }) => exited))).toMatchObject([{ code: 0 }, { code: 0 }])
  expect(fills.map(({ lines }) => lines.at(-1)?.text)).toEqual(['12 codes were made.', '9 codes were made.'])
  expect(fills.map(({ lines }) => lines.some(({ text }) => text === '10 of 12'))).toEqual([true, false])
  expect(await nodes.pool.stock()).toEqual({ fresh: 21, rested: 0, busy: 0 })
  expect(await nodes.codesDrawn()).toBe(21)
  const { isGood, lines } = await run('list')
  expect(isGood).toBe(true)
  expect(lines[0]).toMatch(/^SCENE +STATE +LEASES +AGE +PICTURE$/)
  const rows = lines.slice(1).map((line) => line.split(/\s{2,}/))
  expect(rows.map(([scene]) => scene).sort()).toEqual(await known())
  expect(rows[0]).toEqual([expect.any(String), 'fresh', '0', '0 min', expect.stringMatching(/\.jpg$/)])
})

test('check names what does not fit, and --repair removes it', async () => {
  expect((await run('check')).isGood).toBe(true)
  const [lost, spoiled, good] = await Promise.all(
    (await known()).slice(0, 3).map(async (wanted) => {
      for await (const code of nodes.pool.list()) if (code.scene === wanted) return code
      throw new Error('the code has gone')
    }),
  )
  await rm(join(nodes.folder, lost?.image.key ?? ''))
  await writeFile(join(nodes.folder, spoiled?.image.key ?? ''), 'another picture')
  const stray = `1700000000-${'0'.repeat(32)}.jpg`
  await writeFile(join(nodes.folder, stray), 'a picture of nothing')

  const found = await run('check')
  expect(found.isGood).toBe(false)
  expect(found.lines).toEqual(
    expect.arrayContaining([
      expect.stringMatching(`^${lost?.scene}  has no picture`),
      expect.stringMatching(`^${spoiled?.scene}  has a wrong picture`),
      `${stray}  belongs to no code`,
    ]),
  )
  expect((await run('check', '--repair')).isGood).toBe(true)
  expect((await run('check')).isGood).toBe(true)
  const left = await known()
  expect(left).not.toContain(lost?.scene)
  expect(left).not.toContain(spoiled?.scene)
  expect(left).toContain(good?.scene)
})

test('a missing folder loses no picture and takes none until an operator adopts it', async () => {
  const codes = await known()
  await rm(nodes.folder, { recursive: true })
  const repair = async () => {
    const { exited, lines } = await start(['check', '--repair'])
    return { code: (await exited).code, last: lines.at(-1)?.text }
  }
  expect(await repair()).toEqual({ code: 1, last: expect.stringContaining('no picture was ever put here') })
  expect(await known()).toEqual(codes)
  const fill = async () => (await (await start(['fill', '1'])).exited).code
  expect(await fill()).toBe(1)
  const adopt = await start(['adopt'])
  expect((await adopt.exited).code).toBe(0)
  expect(adopt.lines.at(-1)?.text).toMatch(/is the store of the pool from now on/)
  expect((await repair()).code).toBe(0)
  expect(await known()).toEqual([])
  expect(await fill()).toBe(0)
  expect(await known()).toHaveLength(1)
})

test('retire removes codes with their pictures, and names those that it does not know', async () => {
  const [scene = ''] = await known()
  expect(await run('retire', scene)).toEqual({ isGood: true, lines: ['1 code was retired.'] })
  expect(await run('retire', scene)).toEqual({
    isGood: false,
    lines: [`${scene}  is not in the pool`, '0 codes were retired.'],
  })
  expect((await run('retire', '--all')).isGood).toBe(true)
  expect([await known(), await pictures()]).toEqual([[], []])
})

test('an interrupted fill leaves whole codes, and ends with 130', async () => {
  const fill = await start(['fill', '5000'])
  await fill.nextLine(({ text }) => / of 5000$/.test(text))
  await fill.kill('SIGINT')
  expect((await fill.exited).code).toBe(130)
  expect((await known()).length).toBe((await pictures()).length)
  expect((await run('check')).isGood).toBe(true)
})

test('fill says why WeChat draws no more', async () => {
  await nodes.down()
  const { isGood, lines } = await run('fill', '3')
  await nodes.up()
  expect(isGood).toBe(false)
  expect(lines.at(-1)).toMatch(/^0 of 3 codes were made\. WeChat draws no more: WeChat does not answer/)
})

test('a fill beyond what the pool may hold makes nothing', async () => {
  const drawn = await nodes.codesDrawn()
  expect(await run('fill', '20000')).toEqual({
    isGood: false,
    lines: [expect.stringMatching(/^The pool has room for \d+ more codes: see SAOMA_POOL_MAX\.$/)],
  })
  expect(await nodes.codesDrawn()).toBe(drawn)
})

test('list ends without a complaint when its reader has had enough', async () => {
  const list = await startProcess({
    name: 'pool list into nothing',
    command: 'bash',
    args: ['-c', 'set -o pipefail; "$0" "$1" list | true', process.execPath, script],
    env: { ...plainEnv(), ...nodes.settings },
  })
  expect((await list.exited).code).toBe(0)
  expect(list.lines).toEqual([])
})

test.each<[string[], RegExp]>([
  [[], /^Say what is to be done\.$/],
  [['fill'], /^fill needs one number/],
  [['fill', '-3'], /^fill has no option -3\.$/],
  [['fill', '0'], /^fill needs a number from 1 to 9999999, not "0"\.$/],
  [['fill', '3', '4'], /^fill needs one number/],
  [['list', '--all'], /^list has no option --all\.$/],
  [['list', '--json'], /^list has no option --json\.$/],
  [['check', 'all'], /^check needs no more words than --repair, but there is "all"\.$/],
  [['retire'], /^retire needs the scenes of codes, or --all\.$/],
  [['retire', 'short'], /^"short" is no scene: /],
  [['retire', '--all', 'A'.repeat(24)], /, not both\.$/],
  [['retire', '--all=false'], /^retire has no option --all=false\.$/],
  [['retire', '--all='], /^retire has no option --all=\.$/],
  [['check', '--repair=no'], /^check has no option --repair=no\.$/],
  [['A'.repeat(24), 'retire'], /^Say what is to be done\.$/],
  [['refill'], /^There is no command "refill"\.$/],
  [['toString'], /^There is no command "toString"\.$/],
])('%j is no command, and the reason is told', (args, reason) => {
  expect(readPoolCommand(args)).toEqual({ kind: 'wrong', reason: expect.stringMatching(reason) })
})

test('a scene may begin with a dash', async () => {
  const scene = `-${'A'.repeat(23)}`
  expect((await run('retire', scene)).lines).toEqual([`${scene}  is not in the pool`, '0 codes were retired.'])
})

test('a request for help prints it on standard output, whatever else is said', async () => {
  for (const args of [['--help'], ['-h'], ['help'], ['fill', '--help']])
    expect(readPoolCommand(args)).toEqual({ kind: 'help' })
  const help = await startProcess({
    name: 'pool --help',
    command: 'bash',
    args: ['-c', '"$0" "$1" --help 2>/dev/null', process.execPath, script],
  })
  expect((await help.exited).code).toBe(0)
  expect(help.lines[0]?.text).toMatch(/^Usage:/)
})

test('wrong commands end with 2, missing settings and an absent Redis with 1, and all with plain words', async () => {
  const nobody = `127.0.0.1:${await freePort()}`
  const wrong = await Promise.all([
    start(['refill']),
    start(['list'], { SAOMA_CODES: 'fresh', SAOMA_POOL_STORE: '' }),
    start(['list'], { REDIS_URL: `redis://operator:hunter2@${nobody}` }),
  ])
  expect(await Promise.all(wrong.map(({ exited }) => exited))).toMatchObject([{ code: 2 }, { code: 1 }, { code: 1 }])
  const said = wrong.map(({ lines }) => lines.map(({ text }) => text).join('\n'))
  expect(said).toEqual([
    expect.stringMatching(/^There is no command "refill"\.\nUsage:/),
    expect.stringMatching(/^The settings have 1 problem.*:\n {2}SAOMA_POOL_STORE is needed/),
    `Redis did not become ready in time: REDIS_URL names ${nobody} (Redis at ${nobody}: connect ECONNREFUSED ${nobody})`,
  ])
})
