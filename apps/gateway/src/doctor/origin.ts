import { isIP } from 'node:net'
import { isLoopback } from '../config/origins.ts'
import { askOrigin, type OriginAnswer } from '../operate/origin-answer.ts'
import { type Lookup, lookUp, lookUpInTime, type Reached, reachAll } from './addresses.ts'
import { ANSWER_MS, ask, isOfNode } from './ask.ts'
import { judgeCertificate } from './certificate.ts'
import { type Check, type Find, type Subject, stepwise } from './check.ts'
import type { Finding } from './finding.ts'
import { originOf } from './presence.ts'

/** From here on a difference of the clocks is told. The header has whole seconds, and the way takes time. */
const CLOCK_MS = 10_000
/** From here on tokens of ten minutes fail. */
const CLOCK_WRONG_MS = 300_000

const listed = (all: readonly string[]): string => [...new Set(all)].join(', ')

/** Whether the addresses of the name take connections. */
const judgeAddresses = (url: URL, reached: readonly Reached[]): Finding => {
  const code = 'origin-connect'
  const port = url.port || (url.protocol === 'https:' ? '443' : '80')
  const closed = reached.filter((one) => one.is === 'closed')
  const isUsable = reached.some(({ is }) => is === 'open' || is === 'no-tls')
  const whys = listed(closed.map(({ why }) => why))
  if (closed.length === 0 && !isUsable)
    return {
      code,
      level: 'skipped',
      says: `This machine has no way to ${listed(reached.map(({ address }) => address))}, for example because it has no IPv6.`,
      todo: 'Run the doctor on a machine that reaches the origin.',
    }
  if (!isUsable)
    return {
      code,
      level: 'error',
      says: `${url.origin} takes no connections at port ${port}: ${whys}.`,
      todo: 'Look whether nginx or the balancer runs and listens there, and whether a firewall lets port and protocol through.',
    }
  if (closed.length > 0)
    return {
      code,
      level: 'warning',
      says: `${closed.length} of ${reached.length} addresses of ${url.hostname} take no connections (${listed(closed.map(({ address }) => address))}: ${whys}), so some visitors wait or fail.`,
      todo: 'Take the address out of the DNS, or start what should listen there.',
    }
  return {
    code,
    level: 'ok',
    says: `${url.hostname} takes connections at ${listed(reached.map(({ address }) => address))}.`,
  }
}

const judgeTls = (url: URL, reached: readonly Reached[], now: number): Finding[] => {
  const host = url.hostname.replace(/^\[|\]$/g, '')
  if (url.protocol !== 'https:') {
    if (isLoopback(url.hostname)) return []
    return [
      {
        code: 'origin-plain',
        level: 'warning',
        says: `${url.origin} is http, so everybody on the way can read tokens and change pages, and mini-programs refuse it.`,
        todo: 'Set up TLS, and set SAOMA_ORIGIN to the https address.',
      },
    ]
  }
  const findings = reached.flatMap((one): Finding[] => {
    if (one.is === 'no-tls') {
      // OpenSSL's words for an answer that is plain HTTP.
      const isPlain = /WRONG_VERSION_NUMBER|PACKET_LENGTH/.test(one.code)
      return [
        {
          code: 'origin-tls',
          level: 'error',
          says: isPlain
            ? `${url.host} does not speak TLS, though the origin is https.`
            : `No TLS handshake with ${url.host} succeeds: ${one.why}.`,
          todo: isPlain
            ? 'Give the server its certificate, or set SAOMA_ORIGIN to the address that speaks TLS.'
            : 'Look at the log of what speaks TLS there. TLS 1.2 or 1.3 is needed.',
        },
      ]
    }
    return one.is === 'open' && one.shown ? judgeCertificate(host, one.shown, now) : []
  })
  // Addresses with the same certificate say the same.
  return [...new Map(findings.map((finding) => [finding.says, finding])).values()]
}

const judgeRedirect = (url: URL, to: string): Finding => {
  const target = URL.parse(to)
  const code = 'origin-redirect'
  if (target?.origin === url.origin)
    return {
      code,
      level: 'error',
      says: `${url.origin} redirects the addresses of Saoma to ${target.pathname}, so something in front answers in its place.`,
      todo: 'Let the proxy pass every path on without a login page or a redirect of its own.',
    }
  const isUpgrade = target?.hostname === url.hostname && target.protocol === 'https:' && url.protocol === 'http:'
  return {
    code,
    level: 'error',
    says: `${url.origin} redirects to ${target?.origin ?? to}, which is another origin to browsers, tokens and WebSockets.`,
    todo: isUpgrade
      ? `Set SAOMA_ORIGIN to ${target.origin}.`
      : `Set SAOMA_ORIGIN to ${target?.origin ?? 'the address without a redirect'}, or serve ${url.origin} without a redirect.`,
  }
}

const judgeAnswer = (url: URL, answer: OriginAnswer): Finding => {
  const { origin } = url
  if (answer.kind === 'this')
    return { code: 'origin-cluster', level: 'ok', says: `${origin} leads to a cluster with this origin.` }
  if (answer.kind === 'redirect') return judgeRedirect(url, answer.to)
  if (answer.kind === 'saoma')
    return {
      code: 'origin-cluster',
      level: 'error',
      says: `The Saoma at ${origin} has another origin: ${answer.issuer.replace(/\/oidc$/, '')}.`,
      todo: 'Give all nodes the SAOMA_ORIGIN that people type, or look whether this name leads to another cluster.',
    }
  if (answer.kind === 'silent')
    return {
      code: 'origin-http',
      level: 'error',
      says: `${origin} takes connections, but HTTP is not answered: ${answer.why}.`,
      todo: 'Look at the log of the proxy, and whether it reaches the nodes.',
    }
  const { status, headers } = answer
  if (status >= 500)
    return {
      code: 'origin-http',
      level: 'error',
      says: `${origin} answers with ${status}${headers.has('x-saoma-node') ? ' of a node' : ', so a proxy answers and reaches no node'}.`,
      todo: 'Ask /readyz of the nodes, and look whether the proxy has their addresses.',
    }
  const server = headers.get('server')
  return {
    code: 'origin-cluster',
    level: 'error',
    says: `Another web server answers at ${origin} (status ${status}${server ? `, Server: ${server}` : ''}).`,
    todo: 'Let the name lead to the proxy of Saoma, and let that proxy pass every path on.',
  }
}

const judgePages = async ({ origin }: URL, { config, signal, webRoot }: Subject): Promise<Finding> => {
  const code = 'origin-pages'
  const file = `${origin}/saoma-login.js`
  const reply = await ask(file, { signal })
  if (!reply.ok)
    return {
      code,
      level: 'error',
      says: `${file} is not answered: ${reply.why}.`,
      todo: 'Look at the log of the proxy.',
    }
  const { status, headers } = reply
  if (status === 404 && isOfNode(headers) && !webRoot)
    return config
      ? { code, level: 'ok', says: 'The nodes serve no pages: SAOMA_WEB_ROOT is not set.' }
      : {
          code,
          level: 'skipped',
          says: 'The nodes serve no pages, and whether they should is not known here.',
          todo: 'If they should, set SAOMA_WEB_ROOT.',
        }
  const type = headers['content-type'] ?? 'none'
  if (status === 200 && /^(text|application)\/javascript\b/.test(type))
    return { code, level: 'ok', says: `${file} is served.` }
  return {
    code,
    level: 'error',
    says: `${file} is not served as a script: status ${status}, type ${type}.`,
    todo: 'Let the proxy pass the path on to the nodes, and look whether SAOMA_WEB_ROOT holds the built pages.',
  }
}

const judgeClock = ({ origin }: URL, headers: Headers, now: number): Finding[] => {
  const date = Date.parse(headers.get('date') ?? '')
  if (Number.isNaN(date)) return []
  const code = 'origin-clock'
  const apart = Math.abs(date - now)
  if (apart <= CLOCK_MS) return [{ code, level: 'ok', says: `The clock of ${origin} agrees with this machine’s.` }]
  return [
    {
      code,
      level: apart > CLOCK_WRONG_MS ? 'error' : 'warning',
      says: `The clock of ${origin} is ${Math.round(apart / 1000)} s ${date > now ? 'ahead of' : 'behind'} this machine’s.`,
      todo: 'Synchronise the clocks of both (NTP).',
    },
  ]
}

/** What the name leads to. */
const connect = async (url: URL, { signal, isContainersOwn }: Subject, lookup: Lookup): Promise<Finding[]> => {
  const host = url.hostname.replace(/^\[|\]$/g, '')
  let addresses: Awaited<ReturnType<Lookup>>
  try {
    addresses = await lookUpInTime(lookup, host, signal)
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    return [
      {
        code: 'origin-name',
        level: 'error',
        says: `The name ${host} has no address that this machine can find (${code ?? message}).`,
        todo: 'Add A and AAAA records to the DNS, or correct SAOMA_ORIGIN.',
      },
    ]
  }
  const named: Finding[] = isIP(host)
    ? []
    : [
        {
          code: 'origin-name',
          level: 'ok',
          says: `${host} has the addresses ${listed(addresses.map((one) => one.address))}.`,
        },
      ]
  const reached = await reachAll(addresses, url, signal)
  if (isContainersOwn && reached.every(({ is }) => is !== 'open'))
    return [
      {
        code: 'origin-connect',
        level: 'skipped',
        says: `${url.origin} is this container alone when it is asked from here, so nothing was asked from outside.`,
        todo: 'Run the doctor on the machine that publishes the port: saoma doctor --origin …',
      },
    ]
  return [...named, judgeAddresses(url, reached), ...judgeTls(url, reached, Date.now())]
}

const look = async (subject: Subject, lookup: Lookup, find: Find): Promise<void> => {
  const { signal } = subject
  const origin = originOf(subject)
  if (!origin)
    return find({
      code: 'origin-name',
      level: 'skipped',
      says: 'No origin is known, so nothing was asked from outside.',
      todo: 'Set SAOMA_ORIGIN, or give --origin.',
    })
  const url = new URL(origin)
  const connected = await connect(url, subject, lookup)
  find(...connected)
  // What follows would fail for the same reason.
  if (connected.some(({ level }) => level === 'error' || level === 'skipped')) return
  const answer = await askOrigin(origin, AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MS)]))
  const now = Date.now()
  find(judgeAnswer(url, answer))
  if (answer.kind !== 'this' && answer.kind !== 'saoma') return
  find(await judgePages(url, subject))
  find(...judgeClock(url, answer.headers, now))
}

/** Whether the public origin is reachable, its certificate valid, and this cluster behind it. */
export const checkOrigin = (lookup: Lookup = lookUp): Check =>
  stepwise('origin', (subject, find) => look(subject, lookup, find))
