import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs, parseEnv } from 'node:util'
import { type PooledCodeAnswer, parsePooledScene, parseProblem } from '@saoma/protocol'
import { type Answer, attemptPhoneToken, confirm, reject, request, scan } from '@saoma/testing'
import { called, started } from './called.ts'
import { sceneOf } from './scanned.ts'

/*
 * A simulated person with a phone, for the cluster of `saoma start --wechat`. It does what the mini-program
 * does, in one run.
 */

const USAGE = `${called('phone')} [what it scans] [options]

  what it scans    a ticket, the scene of a code made ahead, a picture saved from the page, or the
                   address behind "Open in WeChat"      (default: the newest code drawn for a page)
  --name "Li Lei"  whose phone it is                    (default: Li Lei)
  --check 47       the number beside the code, if there is one
  --decline        say no
  --help           this text

It needs the cluster of: ${started('--wechat')}`

/** The answer's body; throws an error for the user if the call failed. */
const expected = <T>({ status, body }: Answer<T>, hint: (code: string) => string = () => ''): T => {
  if (status === 200) return body
  const problem = parseProblem(body)
  if (!problem.ok) throw new Error(`The cluster answered ${status}: ${JSON.stringify(body)}`)
  const { title, code } = problem.value
  throw new Error(`${title} (${code})${hint(code)}`)
}

const readSettings = async (): Promise<{ origin: string; simulator: string }> => {
  const text = await readFile(join(process.cwd(), '.saoma/cluster.env'), 'utf8').catch(() => '')
  const { SAOMA_ORIGIN: origin, WECHAT_API: simulator, SAOMA_DEMO: demo } = parseEnv(text)
  if (!origin || !simulator || demo === 'true')
    throw new Error(`There is no cluster with codes of WeChat here. Start one: ${started('--wechat')}`)
  return { origin, simulator }
}

const checkHint = (code: string): string =>
  code === 'CHECK_REQUIRED' ? '\nThe code was on a page before. Add the number beside it: --check 47' : ''

/** Without an argument the script guesses the code. While WeChat draws none, the guess is an old code. */
const guessHint = (code: string): string =>
  /^TICKET_/.test(code)
    ? '\nThis was the newest code that WeChat drew. If the page shows a pooled code, save its picture and scan that file.'
    : ''

const run = async (args: string[]): Promise<void> => {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      name: { type: 'string', default: 'Li Lei' },
      check: { type: 'string' },
      decline: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  const [seen, ...rest] = positionals
  if (values.help) return console.log(USAGE)
  if (rest.length > 0) throw new Error(`A phone scans one thing at a time. A name with a space needs quotes.`)
  const { name, check, decline } = values
  const { origin, simulator } = await readSettings()

  const scene = await sceneOf(seen, simulator)
  console.log(`${name} scans ${scene}`)
  const login = await request<{ js_code: string }>(`${simulator}/simulator/login`, { json: { person: name } })
  const token = expected(await attemptPhoneToken(origin, login.body.js_code)).access_token

  let ticket = scene
  if (parsePooledScene(scene).ok) {
    const json = check === undefined ? {} : { check }
    const code = await request<PooledCodeAnswer>(`${origin}/v1/codes/${scene}`, { json, bearer: token })
    ticket = expected(code, checkHint).ticket
    console.log(`It was made ahead, and stands for ${ticket} now.`)
  }
  const { request: asked } = expected(await scan(origin, ticket, token), seen === undefined ? guessHint : undefined)
  const where = [asked.browser, asked.os, asked.ip].filter(Boolean).join(' · ')
  console.log(`Log in to ${asked.app}?  ${where}  asked at ${asked.requestedAt}`)
  console.log(`The page must show ${asked.userCode}`)
  expected(await (decline ? reject : confirm)(origin, ticket, token))
  console.log(decline ? 'Declined.' : 'Confirmed.')
}

run(process.argv.slice(2)).catch((error: unknown) => {
  const { message = error, cause } = Object(error) as Error
  process.stderr.write(`${message}${cause instanceof Error ? ` (${cause.message})` : ''}\n`)
  process.exitCode = 1
})
