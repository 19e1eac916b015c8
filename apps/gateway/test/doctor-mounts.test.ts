import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { isReadOnly } from '../src/doctor/mounts.ts'
import { diagnose, newFolder, SETTINGS } from './diagnosis.ts'

const look = (file: string) =>
  diagnose(['--json', '--only', 'secrets'], { ...SETTINGS, SAOMA_SECRET: '', SAOMA_SECRET_FILE: file })

test('a file of a Secret of Kubernetes belongs to its container, whatever its mode', async () => {
  const volume = newFolder()
  const folder = join(volume, '..2026_11_30')
  mkdirSync(folder)
  writeFileSync(join(folder, 'saoma-secret'), SETTINGS.SAOMA_SECRET, { mode: 0o644 })
  symlinkSync('..2026_11_30', join(volume, '..data'))
  const file = join(volume, 'saoma-secret')
  symlinkSync('..data/saoma-secret', file)
  const { code, of } = await look(file)
  expect(of('secret-file')).toEqual([`ok: ${file}, with SAOMA_SECRET, belongs to this container alone.`])
  expect(code).toBe(0)
})

test('any other file is to belong to the user of the nodes, who needs no more than to read it', async () => {
  const file = join(newFolder(), 'saoma-secret')
  writeFileSync(file, SETTINGS.SAOMA_SECRET, { mode: 0o644 })
  const { findings } = await look(file)
  expect(findings.find(({ code }) => code === 'secret-file')).toMatchObject({
    level: 'error',
    todo: `Let only the user of the nodes read it: chown it to that user, then chmod 400 ${file}.`,
  })
})

test('a file in a mount that is read-only cannot be changed from here', () => {
  const table = [
    '21 1 254:0 / / rw,relatime - ext4 /dev/root rw',
    '30 21 254:0 /home/me/keys /keys ro,relatime - ext4 /dev/root rw',
    '31 30 0:40 / /keys/own rw,relatime - tmpfs tmpfs rw',
    '32 21 254:0 /x /with\\040space ro,noatime - ext4 /dev/root rw',
    '33 21 0:41 / /later rw - tmpfs tmpfs rw',
    '34 33 0:42 / /later ro - tmpfs tmpfs rw',
    '',
  ].join('\n')
  const paths = ['/keys/a', '/with space/a', '/later/a', '/etc/a', '/keys/own/a', '/keyser/a']
  expect(paths.map((path) => isReadOnly(path, table))).toEqual([true, true, true, false, false, false])
  expect(isReadOnly('/etc/a', '')).toBe(false)
})
