import { createHash } from 'node:crypto'
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { createConnection } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { documented, freePort, onCleanup, plainEnv, until } from '@saoma/testing'
import { readClientCommand } from '../src/bin/read-client-command.ts'
import { SECRET } from './relying-party.ts'

/* The applications of docs/applications.md, as its table and its lines have them. */

const PAGE = 'docs/applications.md'
const SAOMA = 'https://login.example.com'
/** Ports of the page's lines. */
const PORT = /\b(?:3000|1880)\b/g

const root = fileURLToPath(new URL('../../../', import.meta.url))

/** A row of the table. */
export interface Documented {
  /** The package, and its version as the page says. */
  name: string
  version: string
  from: string
  /** What stands behind `saoma client add`. Undefined where another part of the page has it. */
  add?: string
}

/** The rows of the table. */
export const documentedApplications = (page: string): Documented[] => {
  const rows = page.matchAll(/^\| \[([^\]]+)\]\(#[\w-]+\) \| (npm|Debian 12), ([\w.]+) \| (?:`([^`]+)`)?.*\|$/gm)
  return [...rows].map(([, name = '', from = '', version = '', add]) => ({
    name,
    from,
    version,
    ...(add ? { add } : {}),
  }))
}

/** An application with its place in a test. */
export interface Application {
  id: string
  /** What page and phone display. */
  name: string
  port: number
  origin: string
  /** Its entry in `SAOMA_CLIENTS`. */
  entry: Record<string, unknown>
  /** What is behind `saoma client` to register it. */
  command: readonly string[]
  /** The first block below a heading of the page, with the places of the test. */
  codeOf(heading: string, saoma: string): string
}

/** Gives each application of the table a free port. */
export const placeApplications = (rows: readonly Documented[]): Promise<Application[]> =>
  Promise.all(
    rows
      .flatMap(({ name, add }) => (add ? [{ name, add }] : []))
      .map(async ({ name, add }) => {
        const port = await freePort()
        const origin = `http://127.0.0.1:${port}`
        const [id = ''] = add.split(' ')
        const here = (text: string) => text.replaceAll(`https://${id}.example.com`, origin)
        // An address with a `?` has quotes, which a shell takes away.
        const words = here(add).replaceAll("'", '').split(' ')
        const command = ['add', ...words, '--name', name, '--first-party']
        const asked = readClientCommand(command)
        if (asked.kind !== 'command' || asked.command.kind !== 'add') throw new Error(JSON.stringify(asked))
        const { client } = asked.command
        const secret = { secret_sha256: createHash('sha256').update(SECRET).digest('hex') }
        return {
          id,
          name,
          port,
          origin,
          entry: { ...client, ...(client.type === 'confidential' ? secret : {}) },
          command,
          codeOf: (heading: string, saoma: string) => {
            const [block] = documented(PAGE, heading)
            return here(block?.code ?? '')
              .replaceAll(SAOMA, saoma)
              .replaceAll(PORT, `${port}`)
          },
        }
      }),
  )

/** The environment of an application, whose secrets are those of the page. @default of clients of tests */
export const applicationEnv = (secret: string = SECRET): Record<string, string | undefined> => ({
  ...plainEnv(),
  CLIENT_SECRET: secret,
  COOKIE_SECRET: 'a-cookie-secret-of-a-test-with-many-characters',
  PYTHONDONTWRITEBYTECODE: '1',
})

/** A folder with these files, where packages of npm are found. It is gone after the test file. */
export const createFolder = async (files: Readonly<Record<string, string>>): Promise<string> => {
  const folder = await mkdtemp(join(tmpdir(), 'saoma-application-'))
  onCleanup(() => rm(folder, { recursive: true, force: true }))
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'))
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text)
  return folder
}

/** Resolves when the application listens. */
export const untilListening = (application: Application): Promise<boolean> =>
  until(
    () =>
      new Promise<boolean>((resolve) => {
        const socket = createConnection({ port: application.port, host: '127.0.0.1' }, () => resolve(true))
        socket.on('error', () => resolve(false)).on('connect', () => socket.destroy())
      }),
    Boolean,
  )
