import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { type Process, startProcess, startRedis } from '@saoma/testing'
import { createLog, rarely } from '../src/operate/log.ts'
import { openOperator } from './fixtures.ts'

const SAID = 'what somebody said'

const logging = () => {
  const lines: string[] = []
  return { lines, log: createLog({ level: 'info', node: 'test' }, { write: (line) => void lines.push(line) }) }
}

// The command holds what somebody said.
test('an error of Redis is logged without its command, however deep it is', async () => {
  const { url } = await startRedis()
  const redis = await openOperator(url)
  await redis.set('text', 'x')
  const wrongType: Error = await redis.rpush('text', SAID).then(
    () => new Error('this was no failure'),
    (error: Error) => error,
  )
  expect(JSON.stringify(Object(wrongType).command)).toContain(SAID)

  const { lines, log } = logging()
  const within = Object.assign(new Error('EXEC failed'), { previousErrors: [wrongType], lastNodeError: wrongType })
  for (const err of [wrongType, within, new AggregateError([within]), new Error('outer', { cause: wrongType })])
    log.error({ err }, 'failed')
  expect(lines).toHaveLength(4)
  for (const line of lines) {
    expect(line).toContain('WRONGTYPE')
    expect(line).not.toContain(SAID)
  }
  expect(JSON.parse(lines[0] ?? '').err).toEqual({
    type: wrongType.constructor.name,
    message: wrongType.message,
    stack: wrongType.stack,
  })
})

test('an error keeps its code', () => {
  const { lines, log } = logging()
  log.error({ err: Object.assign(new Error('refused'), { code: 'ECONNREFUSED', port: 6379 }) }, 'failed')
  expect(JSON.parse(lines[0] ?? '').err).toMatchObject({ type: 'Error', code: 'ECONNREFUSED', port: 6379 })
})

test('a frequent event is logged at once, and later together with its count', async () => {
  const said: [string, number][] = []
  await new Promise<void>((resolve) => {
    const say = rarely<string>(50, (last, times) => {
      said.push([last, times])
      if (said.length === 2) resolve()
    })
    for (const item of ['a', 'b', 'c', 'd']) say(item)
  })
  expect(said).toEqual([
    ['a', 1],
    ['d', 3],
  ])
})

describe('on stdout', () => {
  const writer = (...args: string[]): Promise<Process> =>
    startProcess({
      name: 'log writer',
      command: process.execPath,
      args: [fileURLToPath(new URL('./log-writer.ts', import.meta.url)), ...args],
    })
  const told = ({ lines }: Process) => lines.map(({ json }) => json?.msg)

  test('routine lines come without a further call', async () => {
    const process = await writer('stays', 'info:one', 'info:two')
    await process.nextLine(({ json }) => json?.msg === 'two')
    expect(told(process)).toEqual(['one', 'two'])
  })

  test('a warning is written at once, after everything that was logged before it', async () => {
    const process = await writer('killed', 'info:one', 'warn:two')
    expect(await process.exited).toMatchObject({ signal: 'SIGKILL' })
    expect(told(process)).toEqual(['one', 'two'])
  })

  // A device that is always full, which not every system has.
  const onFullDisk = existsSync('/dev/full') ? test : test.skip
  onFullDisk.each([
    ['routine', 'info:one'],
    ['a warning', 'warn:one'],
  ])('a full disk loses %s, and nothing else', async (_, word) => {
    const { exited, lines } = await startProcess({
      name: 'log writer',
      command: '/bin/sh',
      args: [
        '-c',
        'exec "$@" > /dev/full',
        'sh',
        process.execPath,
        fileURLToPath(new URL('./log-writer.ts', import.meta.url)),
        'exit',
        word,
        'warn:two',
      ],
    })
    expect(await exited).toEqual({ code: 0, signal: null })
    expect(lines).toEqual([])
  })

  // However long that is.
  test('a fatal line is written at once, after everything that was logged before it', async () => {
    const process = await writer(
      'killed',
      ...Array.from({ length: 200 }, (_, i) => `info:line ${i} ${'x'.repeat(100)}`),
      'fatal:end',
    )
    expect(await process.exited).toMatchObject({ signal: 'SIGKILL' })
    expect(told(process)).toHaveLength(201)
    expect(told(process).at(-1)).toBe('end')
  })

  test('no line is left behind at the end', async () => {
    const process = await writer('exit', 'info:one', 'info:two')
    expect(await process.exited).toMatchObject({ code: 0 })
    expect(told(process)).toEqual(['one', 'two'])
  })
})
