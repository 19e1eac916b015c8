import { spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { onCleanup, plainEnv } from '@saoma/testing'

const root = fileURLToPath(new URL('../../..', import.meta.url))
const bootstrap = join(root, 'scripts/bootstrap.mjs')

/** A program that says which signal ended it. */
const program = async (): Promise<string> => {
  const folder = await mkdtemp(join(tmpdir(), 'saoma-bootstrap-'))
  onCleanup(() => rm(folder, { recursive: true, force: true }))
  const file = join(folder, 'program.mjs')
  await writeFile(
    file,
    `for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => {
      console.log('ended by ' + signal)
      process.exit(0)
    })
    console.log('runs')
    setInterval(() => {}, 1000)`,
  )
  return relative(root, file)
}

/** As npm starts a script: with a name, and through a shell, which ends without passing anything on. */
const startAsNpm = async () => {
  const shell = spawn('sh', ['-c', `"${process.execPath}" "${bootstrap}" "${await program()}" & echo $!; wait`], {
    env: { ...plainEnv(), npm_lifecycle_event: 'start' },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const lines = createInterface(shell.stdout)[Symbol.asyncIterator]()
  const { value: pid } = await lines.next()
  onCleanup(() => {
    try {
      process.kill(Number(pid), 'SIGKILL')
    } catch {
      // It has ended, as it should.
    }
  })
  return { shell, lines }
}

test.each(['SIGTERM', 'SIGKILL'] as const)('processes started by npm end when npm is ended by %s', async (signal) => {
  const { shell, lines } = await startAsNpm()
  expect(await lines.next()).toMatchObject({ value: 'runs' })
  shell.kill(signal)
  expect(await lines.next()).toMatchObject({ value: 'ended by SIGTERM' })
  // The output ends with the last process that has it.
  expect(await lines.next()).toMatchObject({ done: true })
})
