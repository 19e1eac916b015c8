import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { appendFile, lstat, mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { parseEnv } from 'node:util'
import { findProgram } from '@saoma/testing'
import { parse } from 'yaml'
import { type NewFile, writeFiles } from '../src/init/write.ts'
import { main, newFolder, root, runProgram, saoma } from './saoma.ts'

const ORIGIN = 'https://login.test.example'
const SECRETS = /^[A-Za-z0-9_-]{43}$/

interface Compose {
  services: Record<string, { image: string; build?: unknown; volumes?: string[]; environment?: Record<string, string> }>
  volumes: Record<string, null>
}

const filesIn = async (folder: string): Promise<string[]> => {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .sort()
}
const read = (folder: string, file: string): Promise<string> => readFile(join(folder, file), 'utf8')
const envIn = async (folder: string, file = '.env') => parseEnv(await read(folder, file))
const modeOf = async (folder: string, file: string): Promise<number> => (await stat(join(folder, file))).mode & 0o777
const setIn = async (folder: string, settings: Record<string, string>): Promise<void> =>
  appendFile(
    join(folder, '.env'),
    Object.entries(settings)
      .map(([name, value]) => `${name}=${value}\n`)
      .join(''),
  )
const wechat = { WECHAT_APPID: 'wx0000000000000001', WECHAT_SECRET: '0123456789abcdef0123456789abcdef' }

/** What a node says of the settings in `.env`: its origin, or all problems. */
const readConfigIn = async (folder: string): Promise<string> => {
  const module = JSON.stringify(join(root, 'apps/gateway/src/config/config.ts'))
  const program = `import { readConfig } from ${module}
    try { console.log(readConfig(process.env).origin) } catch (error) { console.log(error.problems.join('\\n')) }`
  const { text } = await runProgram(process.execPath, ['--env-file=.env', '--input-type=module', '--eval', program], {
    cwd: folder,
    env: { NODE_ENV: 'production' },
  })
  return text
}

const written = [
  '.env',
  '.gitignore',
  'README.md',
  'compose.yml',
  'keys/api-keys',
  'nginx/nginx.conf.template',
  'nginx/render.sh',
  'nginx/run.sh',
  'redis/restore.sh',
]

describe('for compose', () => {
  test('an empty folder gets everything, with fresh secrets that nothing prints', async () => {
    const folder = join(await newFolder(), 'login')
    const { code, text } = await saoma(['init', folder, '--origin', ORIGIN])
    expect(code).toBe(0)
    expect(await filesIn(folder)).toEqual(written)
    for (const file of written) expect(text.split('\n')).toContain(`  ${file}`)
    expect(text).toContain('docker compose up -d')

    const { SAOMA_SECRET: secret = '', ...others } = await envIn(folder)
    expect(secret).toMatch(SECRETS)
    expect(text).not.toContain(secret)
    expect(others).toMatchObject({ SAOMA_ORIGIN: ORIGIN, WECHAT_APPID: '', SAOMA_API_KEYS: './keys/api-keys' })
    expect(await modeOf(folder, '.env')).toBe(0o600)
    // Containers run as other users.
    for (const file of written.filter((name) => name !== '.env')) expect(await modeOf(folder, file)).toBe(0o644)
    expect((await read(folder, '.gitignore')).split('\n')).toContain('.env')
    for (const file of written.filter((name) => name !== '.env')) expect(await read(folder, file)).not.toContain(secret)

    const second = await newFolder()
    await saoma(['init'], { cwd: second })
    expect((await envIn(second)).SAOMA_SECRET).not.toBe(secret)
  })

  test('folders are for everybody to read, whatever the umask says', async () => {
    const folder = join(await newFolder(), 'above/login')
    const command = `umask 077; exec "${process.execPath}" -- "${main}" init "${folder}"`
    expect((await runProgram('/bin/sh', ['-c', command])).code).toBe(0)
    for (const path of ['..', '.', 'keys', 'nginx', 'redis'])
      expect([path, await modeOf(folder, path)]).toEqual([path, 0o755])
    for (const file of written)
      expect([file, await modeOf(folder, file)]).toEqual([file, file === '.env' ? 0o600 : 0o644])
    // A folder that was there is somebody's own.
    const theirs = await newFolder()
    expect((await saoma(['init', theirs])).code).toBe(0)
    expect(await modeOf(theirs, '.')).toBe(0o700)
  })

  test('no value that it makes needs quotes, and .env says which do', async () => {
    const folder = await newFolder()
    await saoma(['init', '--origin', ORIGIN], { cwd: folder })
    const lines = (await read(folder, '.env')).split('\n').filter((line) => line !== '' && !line.startsWith('#'))
    expect(lines.filter((line) => /[$'"`\\#\s]/.test(line))).toEqual([])
    const [, advised = ''] = /NAME=(\S+)\. Without/.exec(await read(folder, '.env')) ?? []
    await setIn(folder, { ...wechat, WECHAT_SECRET: advised })
    expect((await envIn(folder)).WECHAT_SECRET).toBe('a$b')
  })

  test('a node takes the settings, once what only a person knows is filled in', async () => {
    const folder = await newFolder()
    await saoma(['init'], { cwd: folder })
    expect(await readConfigIn(folder)).toBe('SAOMA_ORIGIN is missing')
    expect(await read(folder, 'README.md')).toMatch(/^1\. Fill in `\.env`:\n {3}- `SAOMA_ORIGIN`/m)
    await setIn(folder, { SAOMA_ORIGIN: ORIGIN })
    expect(await readConfigIn(folder)).toMatch(/^WECHAT_APPID and WECHAT_SECRET are needed[^\n]*$/)
    await setIn(folder, wechat)
    expect(await readConfigIn(folder)).toBe(ORIGIN)
  })

  test('compose.yml has no demo, builds nothing, and mounts only what is there', async () => {
    const folder = await newFolder()
    await saoma(['init', '--origin', ORIGIN], { cwd: folder })
    const text = await read(folder, 'compose.yml')
    const { services, volumes } = parse(text, { merge: true }) as Compose
    expect(Object.keys(services)).toEqual(['redis', 'gateway', 'nginx'])
    const { version } = JSON.parse(await readFile(join(root, 'apps/cli/package.json'), 'utf8'))
    expect(services.gateway?.image).toBe(`ghcr.io/saoma/saoma:${version}`)
    expect(text).not.toMatch(/build|shop|simulator|grafana|prometheus|published on this machine/)
    for (const { volumes: mounts = [] } of Object.values(services))
      for (const [source = ''] of mounts.map((mount) => mount.split(':')))
        if (source.startsWith('.')) expect([source, existsSync(join(folder, source))]).toEqual([source, true])
        else expect(Object.keys(volumes)).toContain(source)
    expect(services.gateway?.environment).toMatchObject({
      NODE_ENV: 'production',
      SAOMA_DEMO: 'false',
      SAOMA_SECRET: `\${SAOMA_SECRET:?set it in .env}`,
      WECHAT_SECRET: `\${WECHAT_SECRET:-}`,
      SAOMA_API_KEYS: '/keys/api-keys',
      SAOMA_CHANNELS: `\${SAOMA_CHANNELS:-}`,
    })

    // Every setting that .env has gets somewhere. The file of keys has another path in the container.
    const passed = new Set([...text.matchAll(/\$\{([A-Z_]+)/g)].map(([, name]) => name))
    const named = [...(await read(folder, '.env')).matchAll(/^#?([A-Z_]+)=/gm)].map(([, name]) => name)
    expect(named.filter((name) => name !== 'SAOMA_API_KEYS' && !passed.has(name))).toEqual([])
    const settings = [...(await read(root, 'docker-compose.yml')).matchAll(/^ {2}([A-Z_]+):/gm)].map(([, name]) => name)
    expect(settings.filter((name) => name && !Object.hasOwn(services.gateway?.environment ?? {}, name))).toEqual([])
  })

  test('keys are made for it on the host', async () => {
    const folder = await newFolder()
    await saoma(['init', '--origin', ORIGIN], { cwd: folder })
    const { code } = await saoma(['key', 'create', 'shop', 'room:*', '--env-file', '.env'], { cwd: folder })
    expect(code).toBe(0)
    expect(await read(folder, 'keys/api-keys')).toMatch(/^# .*\nshop [0-9a-f]{64} room:\*\n$/)
    // Nodes run as another user than the one who made it.
    expect(await modeOf(folder, 'keys/api-keys')).toBe(0o644)
  })

  test('nothing that is there is overwritten, and --force leaves secrets alone', async () => {
    const folder = await newFolder()
    await writeFile(join(folder, 'compose.yml'), 'mine')
    const refused = await saoma(['init'], { cwd: folder })
    expect(refused.code).toBe(1)
    expect(refused.text).toContain('  compose.yml\nNothing was written.')
    expect(await filesIn(folder)).toEqual(['compose.yml'])
    expect(await read(folder, 'compose.yml')).toBe('mine')

    const forced = await saoma(['init', '--force'], { cwd: folder })
    expect(forced.code).toBe(0)
    const before = await read(folder, '.env')
    await writeFile(join(folder, 'compose.yml'), 'old')
    await writeFile(join(folder, 'keys/api-keys'), '# mine\n')
    const again = await saoma(['init', '--force', '--origin', ORIGIN], { cwd: folder })
    expect(again.text).toContain('Left as they were: .env, keys/api-keys')
    expect(again.text).toContain('So --origin has changed nothing')
    expect([await read(folder, '.env'), await read(folder, 'keys/api-keys')]).toEqual([before, '# mine\n'])
    expect(await read(folder, 'compose.yml')).toContain('services:')
    expect(await filesIn(folder)).toEqual(written)
  })

  test('--force leaves README.md and .gitignore alone that saoma init has not written', async () => {
    const folder = await newFolder()
    await saoma(['init'], { cwd: folder })
    const [readme, ignored] = [await read(folder, 'README.md'), await read(folder, '.gitignore')]
    await writeFile(join(folder, 'README.md'), `${readme}and more`)
    const ours = await saoma(['init', '--force'], { cwd: folder })
    expect(ours.text).not.toContain('Left alone')
    expect([await read(folder, 'README.md'), await read(folder, '.gitignore')]).toEqual([readme, ignored])

    await writeFile(join(folder, 'README.md'), '# My project\n')
    await writeFile(join(folder, '.gitignore'), 'dist/\n')
    const { code, text } = await saoma(['init', '--force'], { cwd: folder })
    expect(code).toBe(0)
    expect([await read(folder, 'README.md'), await read(folder, '.gitignore')]).toEqual(['# My project\n', 'dist/\n'])
    expect(text.split('\n')).toEqual(
      expect.arrayContaining([
        'Left alone, because saoma init has not written them: .gitignore, README.md',
        'So see to it that git ignores .env, keys/, backup/: there are secrets in them.',
        expect.stringMatching(/^ {2}3\. https:.*\/docs\/operate\.md#set-it-up has the rest/),
      ]),
    )
    expect((await saoma(['init'], { cwd: folder })).text).toContain(
      '(which leaves .env and keys/api-keys and .gitignore and README.md alone)',
    )
  })

  test('no link is followed', async () => {
    const [folder, elsewhere] = [await newFolder(), await newFolder()]
    const victim = join(elsewhere, 'victim')
    await writeFile(victim, 'as it was')
    // Those that anybody may put there, also with the name under which a file was once begun.
    for (const name of ['compose.yml', 'README.md', '.env.new', 'compose.yml.new'])
      await symlink(victim, join(folder, name))
    await symlink(join(elsewhere, 'nothing'), join(folder, '.env'))
    expect((await saoma(['init'], { cwd: folder })).text).toMatch(
      /already:\n {2}compose\.yml\n {2}\.env\n {2}README\.md\n/,
    )
    const { code, text } = await saoma(['init', '--force'], { cwd: folder })
    expect([code, text]).toEqual([0, expect.stringContaining('Left as they were: .env\n')])
    expect([await readFile(victim, 'utf8'), await readdir(elsewhere)]).toEqual(['as it was', ['victim']])
    expect((await lstat(join(folder, 'compose.yml'))).isFile()).toBe(true)

    const other = await newFolder()
    await mkdir(join(elsewhere, 'keys'))
    await symlink(join(elsewhere, 'keys'), join(other, 'keys'))
    for (const args of [['init'], ['init', '--force']])
      expect(await saoma(args, { cwd: other })).toEqual({
        code: 1,
        text: `${join(other, 'keys')} is no folder, or a link. Nothing was written.`,
      })
    expect([await readdir(other), await readdir(join(elsewhere, 'keys'))]).toEqual([['keys'], []])
  })

  const filesOf = (text: string): NewFile[] =>
    ['compose.yml', '.env', 'keys/api-keys'].map((path) => ({ path, text, keep: path === '.env' }))

  test('of two at once one writes everything, and the other nothing', async () => {
    const folder = await newFolder()
    const [one, other] = await Promise.allSettled(
      ['one', 'other'].map((text) => writeFiles(folder, filesOf(text), false)),
    )
    expect([one?.status, other?.status].sort()).toEqual(['fulfilled', 'rejected'])
    const winner = one?.status === 'fulfilled' ? 'one' : 'other'
    for (const { path } of filesOf('')) expect([path, await read(folder, path)]).toEqual([path, winner])
    const lost = [one, other].find((its) => its?.status === 'rejected')
    expect(lost).toMatchObject({
      reason: { message: `Another command has just written ${join(folder, 'compose.yml')}. Nothing was written.` },
    })
    expect(await filesIn(folder)).toEqual(['.env', 'compose.yml', 'keys/api-keys'])
  })

  test('of two at once with --force one writes the secrets, and the other keeps them', async () => {
    const folder = await newFolder()
    const did = await Promise.all(['one', 'other'].map((text) => writeFiles(folder, filesOf(text), true)))
    const [winner, ...more] = did.flatMap(({ written: paths }, i) => (paths.includes('.env') ? [i] : []))
    expect(more).toEqual([])
    expect(await read(folder, '.env')).toBe(winner === 0 ? 'one' : 'other')
    expect(did.find((_, i) => i !== winner)?.kept).toContain('.env')
  })

  const hasCompose = spawnSync('docker', ['compose', 'version']).status === 0
  const testCompose: jest.It = hasCompose ? test : test.skip
  testCompose('docker compose reads it (skipped without docker compose)', async () => {
    const folder = await newFolder()
    await saoma(['init'], { cwd: folder })
    const config = () => runProgram('docker', ['compose', 'config', '--quiet'], { cwd: folder })
    expect((await config()).text).toContain('set the public address in .env')
    await setIn(folder, { SAOMA_ORIGIN: ORIGIN, ...wechat })
    expect(await config()).toEqual({ code: 0, text: '' })
  })
})

describe('for Kubernetes', () => {
  test('an overlay on that of this version is written, with secrets for its owner alone', async () => {
    const folder = await newFolder()
    const { code, text } = await saoma(['init', '--k8s', '--origin', ORIGIN], { cwd: folder })
    expect(code).toBe(0)
    const { version } = JSON.parse(await readFile(join(root, 'apps/cli/package.json'), 'utf8'))
    const { resources, images } = parse(await read(folder, 'kustomization.yaml'))
    expect(resources).toEqual([`https://github.com/saoma/saoma//k8s/overlays/production?ref=v${version}`])
    expect(images).toEqual([expect.objectContaining({ newName: 'ghcr.io/saoma/saoma', newTag: version })])
    expect(await envIn(folder, 'settings.env')).toEqual({
      SAOMA_ORIGIN: ORIGIN,
      NODE_ENV: 'production',
      SAOMA_API_KEYS: '/etc/saoma/api-keys',
    })
    const { SAOMA_SECRET: secret = '', ...others } = await envIn(folder, 'secrets.env')
    expect(secret).toMatch(SECRETS)
    expect(text).not.toContain(secret)
    expect(others).toEqual({ REDIS_URL: '', WECHAT_APPID: '', WECHAT_SECRET: '' })
    for (const file of ['secrets.env', 'api-keys']) expect(await modeOf(folder, file)).toBe(0o600)
    expect((await read(folder, '.gitignore')).trim().split('\n').slice(1)).toEqual(['secrets.env', 'api-keys'])
  })

  const testKubectl: jest.It = findProgram('kubectl') ? test : test.skip
  testKubectl('kustomize renders it, on the overlay of the repository (skipped without kubectl)', async () => {
    const folder = await newFolder()
    await saoma(['init', '--k8s', '--origin', ORIGIN], { cwd: folder })
    const overlay = await read(folder, 'kustomization.yaml')
    // A base may be anywhere, but only by a relative path.
    const base = join(relative(folder, root), 'k8s/overlays/production')
    await writeFile(join(folder, 'kustomization.yaml'), overlay.replace(/https:\S+/, base))
    const { code, text } = await runProgram(findProgram('kubectl') ?? '', ['kustomize', '.'], { cwd: folder })
    expect([code, code === 0 ? '' : text]).toEqual([0, ''])
    const { version } = JSON.parse(await readFile(join(root, 'apps/cli/package.json'), 'utf8'))
    expect(new Set(text.match(/image: \S*saoma\S*/g))).toEqual(new Set([`image: ghcr.io/saoma/saoma:${version}`]))
    expect(text).not.toContain('login.example.com')
    expect(text.match(/login\.test\.example/g)?.length).toBeGreaterThan(3)
    // The name has a hash, so that a change of a secret leads to a rollout. That of the keys has none.
    const [, name] = /^ {2}name: (saoma-secrets-\w+)$/m.exec(text) ?? []
    expect(text).toMatch(new RegExp(`secretRef:\\n +name: ${name}\\n`))
    expect(text).toMatch(/secretName: saoma-api-keys\n/)
  })
})
