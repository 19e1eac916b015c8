import { backoffMs, reasonOf } from '@saoma/protocol'
import type { ClientRegistry } from './client.ts'
import { createWorker, type Worker } from './due-list.ts'
import type { SendLogoutToken } from './logout-tokens.ts'
import type { Provider } from './oidc-provider.ts'
import type { Left, Untold } from './untold.ts'

/** An application that could not be told that a session has ended. */
export interface Untellable {
  sub: string
  sid: string
  client: string
  /** One word: a status, or the code of an error. */
  reason: string
}

export interface LogoutTimes {
  /** The first pause, in milliseconds. Each next one is twice as long. */
  firstPauseMs: number
  /** The longest pause, in milliseconds. */
  longestPauseMs: number
  /** How often an application is called at most. */
  tries: number
  /** Milliseconds between two looks at what is due. */
  lookMs: number
}

/** Together about an hour: a restart of the application, its machine or its network. */
const TIMES: LogoutTimes = { firstPauseMs: 1_000, longestPauseMs: 600_000, tries: 16, lookMs: 2_000 }

export interface LogoutsOptions {
  /** @default an hour of tries */
  times?: Partial<LogoutTimes>
  /** Called for each call of an application. @default nobody is told */
  onCalled?: (result: 'told' | 'again' | 'failed') => void
  /** Called when an application is given up. */
  onUntellable?: (missed: Untellable) => void
  /** Called for a surprise. What was worked on is tried again. */
  onError?: (error: unknown) => void
}

export interface LogoutsDeps {
  untold: Untold
  registry: ClientRegistry
  /** The provider that has the present keys, and what sends its tokens. */
  current: () => { provider: Provider; sendLogoutToken: SendLogoutToken }
}

/** Tells applications of ends. */
export type Logouts = Pick<Worker, 'look' | 'close'>

/** How a call of an application went. */
type Outcome = { is: 'told' | 'gone' } | { is: 'again' | 'failed'; reason: string }

/**
 * What a failed call means. An address that may not be called stays so, and with 400 an application says that
 * it will not take this token (Back-Channel Logout, section 2.8). Everything else may pass.
 */
const failureOf = (error: unknown): Outcome => {
  const { response } = error as { response?: Response }
  const reason = response ? `status ${response.status}` : reasonOf(error)
  return { is: response?.status === 400 || reason === 'ADDRESS_REFUSED' ? 'failed' : 'again', reason }
}

/**
 * Tells applications that a session has ended. If the node that does dies, another one follows within
 * seconds. So an application may be told twice, and is never forgotten within the hour of all tries.
 */
export const createLogouts = (
  { untold, registry, current }: LogoutsDeps,
  { times = {}, onCalled = () => {}, onUntellable = () => {}, onError = () => {} }: LogoutsOptions = {},
): Logouts => {
  const { firstPauseMs, longestPauseMs, tries: most, lookMs } = { ...TIMES, ...times }
  const call = async (id: string, { sub, sid }: Left): Promise<Outcome> => {
    // It may have been taken away since.
    if (!registry.find(id)?.backchannelLogoutUri) return { is: 'gone' }
    try {
      const { provider, sendLogoutToken } = current()
      const client = await provider.Client.find(id)
      if (!client) return { is: 'gone' }
      await sendLogoutToken(client, sub, sid)
      return { is: 'told' }
    } catch (error) {
      return failureOf(error)
    }
  }

  const work = async (id: string): Promise<void> => {
    const left = await untold.find(id)
    // Told already, or announced and not ended. Who ends it puts it on the list again.
    if (!left) return untold.drop(id)
    const calls = await Promise.all(left.clients.map(async (client) => ({ client, ...(await call(client, left)) })))
    const { tries } = await untold.told(
      id,
      calls.flatMap(({ client, is }) => (is === 'again' ? [] : [client])),
    )
    const isLast = tries >= most
    const again = calls.filter(({ is }) => is === 'again').map(({ client }) => client)
    for (const outcome of calls) {
      const isFailed = outcome.is === 'failed' || (outcome.is === 'again' && isLast)
      if (outcome.is !== 'gone') onCalled(isFailed ? 'failed' : outcome.is === 'told' ? 'told' : 'again')
      if (isFailed && 'reason' in outcome)
        onUntellable({ sub: left.sub, sid: left.sid, client: outcome.client, reason: outcome.reason })
    }
    if (again.length > 0 && !isLast)
      return untold.schedule(id, backoffMs(tries - 1, { baseMs: firstPauseMs, capMs: longestPauseMs, least: 0.8 }))
    if (again.length > 0) await untold.told(id, again)
    await untold.drop(id)
  }

  return createWorker(untold, work, { lookMs, onError })
}
