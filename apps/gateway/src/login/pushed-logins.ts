import type { Accounts } from '@saoma/accounts'
import type { Audit } from '@saoma/audit'
import type { Channels } from '@saoma/channels'
import type { Identity, PingsOptions, Push, PushedLogin } from '@saoma/identity'
import { userChannel } from '@saoma/protocol'
import type { Inbox } from '@saoma/tickets'
import type { Wechat } from '@saoma/wechat'
import { type LoginTemplate, messageData } from '../config/login-template.ts'
import type { Logger } from '../operate/log.ts'
import type { Metrics } from '../operate/metrics.ts'
import { logFailure } from './wechat-failure.ts'

export interface PushedLoginsDeps {
  inbox: Inbox
  channels: Pick<Channels, 'publish'>
  accounts: () => Pick<Accounts, 'identities'> | undefined
  /** By appid. */
  wechatApps: ReadonlyMap<string, Pick<Wechat, 'notify'>>
  metrics: Pick<Metrics, 'limited' | 'applicationPings'>
  audit: Pick<Audit, 'note'>
  log: Logger
}

/** How a person has answered. */
export type Answered = 'confirmed' | 'rejected'

export interface PushedLogins {
  push: Push
  pings: Omit<PingsOptions, 'secrets'>
  /**
   * A person has answered on the phone. If the ticket is a request that an application had sent, the
   * person's other devices and the application are told. Never rejects, and nobody needs to wait for it.
   */
  settled(identity: Pick<Identity, 'answered'>, sub: string, ticket: string, how: Answered): Promise<void>
}

/**
 * Brings requests of applications to people's phones: the list at `GET /v1/me/requests`, an event that says
 * to read it, and a message of WeChat if a template is set. Only the list is certain. The others are hints.
 */
export const createPushedLogins = (
  { inbox, channels, accounts, wechatApps, metrics, audit, log }: PushedLoginsDeps,
  template: LoginTemplate | undefined,
): PushedLogins => {
  const tellDevices = (sub: string, change: 'asked' | 'answered'): void => {
    channels
      .publish({ channel: userChannel(sub), event: 'request', data: { change }, volatile: true })
      .catch((error: unknown) =>
        log.warn({ err: error, change }, 'a person’s devices could not be notified of a request to log in'),
      )
  }

  /** Sends a message of WeChat to each mini-program of the person. Most people have one. */
  const tellWechat = async ({ sub, app }: PushedLogin, { id, fields }: LoginTemplate): Promise<void> => {
    const identities = (await accounts()?.identities(sub)) ?? []
    await Promise.all(
      identities.map(async ({ provider, app: appid, id: openid }) => {
        const wechat = provider === 'wechat' ? wechatApps.get(appid) : undefined
        const sent = await wechat?.notify({ openid, template: id, data: messageData(fields, { app }) })
        // Without the person's consent of before there is no message. That is the usual case.
        if (sent && !sent.ok && sent.kind !== 'rejected') logFailure(sent, log)
      }),
    )
  }

  return {
    push: {
      ask: async (sub, ticket, client) => {
        const waitMs = await inbox.ask(sub, ticket, client)
        if (waitMs !== undefined) metrics.limited.inc({ what: 'pushed_logins' })
        return waitMs
      },
      giveBack: (sub, ticket) => {
        // Redis has failed already. The place is free again after ten minutes.
        inbox.giveBack(sub, ticket).catch(() => {})
      },
      tell: (login) => {
        const { sub, ticket, client, app } = login
        audit.note({ kind: 'login.pushed', person: sub, ticket, client, app })
        tellDevices(sub, 'asked')
        if (template)
          tellWechat(login, template).catch((error: unknown) =>
            log.warn({ err: error }, 'a person could not be sent a message of WeChat'),
          )
      },
    },
    pings: {
      onCalled: (client, result, reason) => {
        metrics.applicationPings.inc({ result })
        if (result === 'failed')
          log.warn({ event: 'ping', client, reason }, 'an application could not be told of an answer')
      },
      onError: (error) => log.error({ err: error, event: 'ping' }, 'telling applications of answers failed'),
    },
    settled: async (identity, sub, ticket, how) => {
      try {
        const isSent = await (how === 'confirmed' ? inbox.giveBack(sub, ticket) : inbox.has(sub, ticket))
        if (!isSent) return
        identity.answered(ticket)
        tellDevices(sub, 'answered')
      } catch (error) {
        // The application polls, or is told by the next look. The place is free again after ten minutes.
        log.warn({ err: error, how }, 'the answer to a request to log in could not be passed on')
      }
    },
  }
}
