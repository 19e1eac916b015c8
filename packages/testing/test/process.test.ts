import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { fileURLToPath } from 'node:url'
import { onCleanup, type ProcessOptions, startProcess } from '@saoma/testing'

const node = (script: string, options: Partial<ProcessOptions> = {}) =>
  startProcess({ name: 'a script', command: process.execPath, args: ['-e', script], ...options })

/**
 * A process that runs `script` connects here; `ended` resolves when it, and with it its connection, is gone.
 */
const expectConnection = async () => {
  const server = createServer().listen(0, '127.0.0.1')
  onCleanup(() => server.close())
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    script: `process.on("SIGTERM", () => {}); require("node:net").connect(${port}, "127.0.0.1")`,
    connected: async () => {
      const [socket] = await once(server, 'connection', { signal: AbortSignal.timeout(45_000) })
      onCleanup(() => socket.destroy())
      return { ended: once(socket.resume(), 'close', { signal: AbortSignal.timeout(45_000) }) }
    },
  }
}

test('a line is given once and in order, whether it was requested before or after', async () => {
  const script = `process.on('SIGUSR2', () => console.log('late')); setInterval(() => {}, 1e6)
    for (const n of [1, 2, 3]) console.log(JSON.stringify({ event: 'count', n }))
    console.log('{not json')`
  const program = await node(script)
  const counts = [1, 2, 3].map(() => program.nextLine((line) => line.json?.event === 'count'))
  expect((await Promise.all(counts)).map(({ json }) => json?.n)).toEqual([1, 2, 3])
  expect((await program.nextLine(({ text }) => text === '{not json')).json).toBeUndefined()
  const late = program.nextLine(({ text }) => text === 'late')
  await program.kill('SIGUSR2')
  expect((await late).text).toBe('late')
  await program.stop()
})

test('waiting for a line ends with the process, and the message has its last words', async () => {
  const program = await node('console.error("no such setting"); process.exitCode = 3')
  await expect(program.nextLine(({ text }) => text === 'ready')).rejects.toThrow(/exit code 3[\s\S]*no such setting/)
  expect(await program.exited).toEqual({ code: 3, signal: null })
  await program.stop()
})

test('a missing command rejects', async () => {
  await expect(startProcess({ name: 'nothing', command: '/no/such/program' })).rejects.toThrow('ENOENT')
})

test('a program that ignores SIGTERM is killed, and stop reports it', async () => {
  const stubborn = `process.on('SIGTERM', () => {}); console.log('ready'); setInterval(() => {}, 1e6)`
  const program = await node(stubborn, { stopTimeoutMs: 500 })
  await program.nextLine(({ text }) => text === 'ready')
  await expect(program.stop()).rejects.toThrow('did not end within 500 ms of SIGTERM')
  expect(await program.exited).toEqual({ code: null, signal: 'SIGKILL' })
})

test('a program that leaves a process behind is reported, and the process is killed', async () => {
  const { script, connected } = await expectConnection()
  const program = await node(`require('node:child_process').spawn(process.execPath, ['-e', ${JSON.stringify(script)}])
    process.on('SIGTERM', () => process.exit(0))`)
  const { ended } = await connected()
  await expect(program.stop()).rejects.toThrow('left processes of its own running')
  await ended
})

test('nothing outlives a parent that is killed with -9', async () => {
  const { script, connected } = await expectConnection()
  const index = fileURLToPath(new URL('../src/index.ts', import.meta.url))
  const parent = await node(`import(${JSON.stringify(index)}).then(({ startProcess }) =>
    startProcess({ name: 'child', command: process.execPath, args: ['-e', ${JSON.stringify(script)}] }))`)
  const { ended } = await connected()
  await parent.kill('SIGKILL')
  await ended
})
