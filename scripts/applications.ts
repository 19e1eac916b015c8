/*
 * What docs/applications.md promises, in a folder in which there is nothing yet: a person gets into Apache's
 * protected page, into an Express application and into a command line by scanning, and out of all of them
 * with one "Log out everywhere" on the phone. It registers the applications with the command, runs the lines
 * of the page beside a cluster of its own, and fails at the first thing that is not as the page says.
 *
 *   npm run applications
 *   npm run applications -- --no-install     does not install Debian's package for Apache
 *
 * It needs Chromium. Without Debian's Apache it says so, and leaves that out.
 */

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { APACHE_PACKAGE, hasApache, startApache } from '@saoma/gateway/test/apache.ts'
import {
  type Application,
  applicationEnv,
  createFolder,
  documentedApplications,
  placeApplications,
  untilListening,
} from '@saoma/gateway/test/documented-applications.ts'
import type { SessionList } from '@saoma/protocol'
import {
  type Cluster,
  cleanUp,
  confirm,
  ensurePage,
  ensurePrograms,
  launchBrowser,
  pageBlocks,
  pageFolder,
  phoneToken,
  plainEnv,
  request,
  runShell,
  scan,
  startCluster,
  startProcess,
  tryPackages,
  until,
} from '@saoma/testing'

type Tab = Awaited<ReturnType<Awaited<ReturnType<typeof launchBrowser>>['newPage']>>

const PAGE = 'docs/applications.md'
const EXPRESS = 'express-openid-connect'
const ADA = 'Ada'
/** Where the page runs Saoma itself. */
const TRIAL = 'http://127.0.0.1:8080'
/** A command line polls every five seconds, on a machine that may be busy. */
const PATIENCE_MS = 60_000

const root = fileURLToPath(new URL('..', import.meta.url))
const command = join(root, 'apps/cli/src/main.ts')
const say = (sentence: string): void => console.log(sentence)

/** The block of the page about command lines that has these words. */
const deviceBlock = (words: string): string => {
  const blocks = pageBlocks(PAGE).filter(({ heading }) => heading === 'A TV or a command line')
  const [found, ...more] = blocks.filter(({ code }) => code.includes(words))
  assert(found !== undefined && more.length === 0, `${PAGE} has not one block with ${words}`)
  return found.code
}

/** Registers an application as an administrator does. Resolves with its secret. */
const register = async (application: Application, folder: string): Promise<string> => {
  const args = ['client', ...application.command, '--file', 'clients.json']
  say(`   $ saoma ${args.join(' ')}`)
  const { exited, lines } = await startProcess({
    name: 'saoma client',
    command: process.execPath,
    args: ['--', command, ...args],
    cwd: folder,
    env: plainEnv(),
  })
  const { code } = await exited
  const text = lines.map((line) => line.text).join('\n')
  const secret = /shown once: (\S+)/.exec(text)?.[1]
  assert(code === 0 && secret !== undefined, `saoma client ended with ${code}:\n${text}`)
  return secret
}

/** The command line of the page. What it got is printed behind what it says. */
const commandLine = (saoma: string): string =>
  `${deviceBlock('pollDeviceAuthorizationGrant').replaceAll(TRIAL, saoma)}console.log(JSON.stringify(tokens))\n`

/** A person with a phone, at a browser. Each step of the phone goes to another node. */
const createPerson = async (cluster: Cluster) => {
  const [a, b] = cluster.nodes
  assert(a !== undefined && b !== undefined, 'there are two nodes')
  const token = await phoneToken(cluster.origin, ADA)
  const browser = await launchBrowser()
  const tab: Tab = await browser.newPage({ locale: 'en-US' })
  let scans = 0

  const approve = async (ticket: string): Promise<void> => {
    const scanned = await scan(a.origin, ticket, token)
    const confirmed = await confirm(b.origin, ticket, token)
    assert(scanned.status === 200 && confirmed.status === 200, `the phone got ${scanned.status}, ${confirmed.status}`)
    scans++
  }
  const answerOf = (path: string) => tab.waitForResponse((response) => response.url() === cluster.origin + path)
  const ticketOf = async (answer: ReturnType<typeof answerOf>): Promise<string> =>
    ((await (await answer).json()) as { ticket: string }).ticket

  return {
    get scans() {
      return scans
    },
    /** Opens an application, which asks for a scan. */
    enter: async (address: string): Promise<void> => {
      const asked = answerOf('/oidc/device/auth')
      await tab.goto(address)
      await approve(await ticketOf(asked))
    },
    /** Opens an application. */
    go: async (address: string): Promise<void> => void (await tab.goto(address)),
    /** Types a code on the page of devices, and scans the picture that comes. */
    type: async (address: string, userCode: string): Promise<void> => {
      await tab.goto(address)
      const found = answerOf('/v1/user-codes')
      await tab.getByLabel('Code').fill(userCode)
      await tab.getByRole('button', { name: 'Continue' }).click()
      const ticket = await ticketOf(found)
      await tab.getByAltText('Code to scan with the phone').waitFor()
      await approve(ticket)
    },
    /** What the application says, once it greets the person. */
    greeting: async (): Promise<string> => {
      await tab.getByText(`Hello, ${ADA}.`).waitFor()
      return ((await tab.locator('body').textContent()) ?? '').trim()
    },
    /** Resolves when an application asks for a scan. */
    untilOut: (address: string): Promise<boolean> =>
      until(async () => {
        await tab.goto(address)
        return tab.url().startsWith(`${cluster.origin}/oidc/interaction/`)
      }, Boolean),
    logins: async () =>
      (await request<SessionList>(`${a.origin}/v1/sessions`, { bearer: token })).body.sessions.map((session) =>
        [session.app, ...(session.applications ?? []).map(({ name }) => name)].join(' with '),
      ),
    endAll: async () =>
      (await request<{ ended: number }>(`${b.origin}/v1/sessions`, { method: 'DELETE', bearer: token })).body,
  }
}

const main = async (installs: boolean): Promise<void> => {
  await ensurePage(say)
  await ensurePrograms(['redis', 'nginx', 'chromium'], say)
  if (installs) await tryPackages([APACHE_PACKAGE], say)
  const isWithApache = hasApache()
  if (!isWithApache) say(`Apache is left out: ${APACHE_PACKAGE} is not installed.`)

  say('1. Register the applications.')
  const folder = await createFolder({})
  const rows = documentedApplications(readFileSync(join(root, PAGE), 'utf8'))
  const applications = await placeApplications(
    rows.filter(({ name }) => name === EXPRESS || (name === APACHE_PACKAGE && isWithApache)),
  )
  const secrets = new Map<string, string>()
  for (const application of applications) secrets.set(application.name, await register(application, folder))
  const add = deviceBlock('client add')
  say(
    `   $ ${add
      .trim()
      .replace(/ \\\n +/, ' ')
      .replace('npm run saoma -- ', 'saoma ')}`,
  )
  await runShell(add.replace('npm run saoma --', `'${process.execPath}' -- '${command}'`), { cwd: folder })

  say('2. Start Saoma with two nodes, and the applications.')
  const cluster = await startCluster({
    nodes: 2,
    env: {
      SAOMA_CLIENTS: join(folder, 'clients.json'),
      SAOMA_APPLICATION_NETWORKS: '127.0.0.1',
      SAOMA_WEB_ROOT: pageFolder,
    },
  })
  const placed = (name: string) => {
    const application = applications.find((one) => one.name === name)
    return application && { application, env: applicationEnv(secrets.get(name)) }
  }
  const express = placed(EXPRESS)
  assert(express !== undefined, `${PAGE} has no ${EXPRESS}`)
  await writeFile(join(folder, 'express.mjs'), express.application.codeOf(EXPRESS, cluster.origin))
  await startProcess({
    name: 'express',
    command: process.execPath,
    args: ['express.mjs'],
    cwd: folder,
    env: express.env,
  })
  await untilListening(express.application)
  const apache = placed(APACHE_PACKAGE)
  const protectedPage = apache && (await startApache(apache.application, cluster.origin, apache.env))
  await writeFile(join(folder, 'tv.mjs'), commandLine(cluster.origin))
  const person = await createPerson(cluster)

  if (protectedPage) {
    say(`3. ${ADA} opens Apache's protected page, and scans.`)
    await person.enter(protectedPage)
    say(`   Apache says "${await person.greeting()}"`)
    say('   She opens the Express application. It asks for no scan.')
    await person.go(express.application.origin)
  } else {
    say(`3. ${ADA} opens the Express application, and scans.`)
    await person.enter(express.application.origin)
  }
  say(`   Express says "${await person.greeting()}"`)
  assert.equal(person.scans, 1)

  say('4. She starts the command line, types its code in the browser, and scans.')
  const [, ...args] = deviceBlock('node tv.mjs').trim().split(' ')
  const program = await startProcess({ name: 'tv.mjs', command: process.execPath, args, cwd: folder })
  const { text } = await program.nextLine((line) => line.text.startsWith('Open '), PATIENCE_MS)
  const [, address = '', userCode = ''] = /^Open (\S+) and type (\S+)$/.exec(text) ?? []
  await person.type(address, userCode)
  const { text: greeting } = await program.nextLine((line) => line.text.startsWith('Hello, '), PATIENCE_MS)
  assert.equal(greeting, `Hello, ${ADA}.`)
  say(`   The command line says "${greeting}"`)
  const { text: tokens } = await program.nextLine((line) => line.text.startsWith('{'))
  const { access_token, refresh_token } = JSON.parse(tokens) as Record<'access_token' | 'refresh_token', string>
  const useTokens = () =>
    Promise.all(
      cluster.nodes.map(async ({ origin }) => (await request(`${origin}/oidc/me`, { bearer: access_token })).status),
    )
  assert.deepEqual(await useTokens(), [200, 200])
  const logins = await person.logins()
  say(`   Her phone lists ${logins.length} logins: ${logins.sort().join('; ')}.`)

  say('5. She presses "Log out everywhere" on the phone.')
  assert.deepEqual(await person.endAll(), { ended: 2 })
  if (protectedPage) {
    await person.untilOut(protectedPage)
    say('   Apache asks for a scan.')
  }
  await person.untilOut(express.application.origin)
  say('   Express asks for a scan.')
  assert.deepEqual(await useTokens(), [401, 401])
  const form = { grant_type: 'refresh_token', client_id: 'tv', refresh_token }
  const refreshed = await request<{ error: string }>(`${cluster.origin}/oidc/token`, { form })
  assert.deepEqual([refreshed.status, refreshed.body.error], [400, 'invalid_grant'])
  say('   The tokens of the command line are refused by both nodes.')
  assert.deepEqual(await person.logins(), [])
  say(`Everything is as ${PAGE} says.`)
}

const { values } = parseArgs({ options: { 'no-install': { type: 'boolean', default: false } } })
try {
  await main(!values['no-install'])
} finally {
  await cleanUp()
}
