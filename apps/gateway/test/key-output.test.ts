import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { plainEnv } from '@saoma/testing'
import { fileOf, keyInto, lineOf, script } from './run-key.ts'

const hasFull = existsSync('/dev/full')
const testFull: jest.It = hasFull ? test : test.skip

test.each([['>/dev/null'], ['>&-']])('no key is made that %s hides', async (output) => {
  const file = await fileOf(`${lineOf('other')}\n`)
  expect(await keyInto(output, ['create', 'shop', 'room:*', '--file', file])).toEqual({
    code: 1,
    said: ['Nobody would see the key: standard output is closed, or /dev/null. So none was made.'],
  })
  expect(await readFile(file, 'utf8')).toBe(`${lineOf('other')}\n`)
})

testFull('a key that cannot be written is taken away again (skipped without /dev/full)', async () => {
  const file = await fileOf(`${lineOf('other')}\n`)
  expect(await keyInto('>/dev/full', ['create', 'shop', 'room:*', '--file', file])).toEqual({
    code: 1,
    said: ['The key cannot be printed (ENOSPC). So none was made.'],
  })
  expect(await readFile(file, 'utf8')).toBe(`${lineOf('other')}\n`)
})

test('a key that its reader does not wait for is taken away again, and a list just ends', async () => {
  const file = await fileOf(`${lineOf('other')}\n`)
  const unread = async (args: readonly string[]) => {
    const child = spawn(process.execPath, ['--', script, ...args, '--file', file], {
      env: plainEnv(),
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    // Before it can have written anything.
    child.stdout.destroy()
    const said: Buffer[] = []
    child.stderr.on('data', (chunk: Buffer) => said.push(chunk))
    const [code] = await once(child, 'close')
    return { code, said: `${Buffer.concat(said)}` }
  }
  for (const more of [[], ['--json']])
    expect(await unread(['create', 'shop', 'room:*', ...more])).toEqual({
      code: 1,
      said: 'The key cannot be printed (EPIPE). So none was made.\n',
    })
  expect(await readFile(file, 'utf8')).toBe(`${lineOf('other')}\n`)
  expect(await unread(['list'])).toEqual({ code: 0, said: '' })
})
