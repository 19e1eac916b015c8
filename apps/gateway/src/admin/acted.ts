import { hash } from 'node:crypto'
import type { Audit } from '@saoma/audit'
import { userOf } from '@saoma/protocol'
import type { Backend } from '../access/principal.ts'
import type { Context } from '../transport/http/context.ts'

/** Reads of the same thing with one key within this time are one act. */
const ONE_ACT_MS = 600_000

/** What an administrator dealt with: a channel, a person, or something with another name. */
export type About = { channel: string } | { person: string } | { name: string } | undefined

const aboutOf = (about: About) => {
  if (!about) return {}
  if (!('channel' in about)) return about
  // A person's own channel is noted as theirs, so that it is forgotten with them.
  const person = userOf(about.channel)
  return person === undefined ? { name: about.channel } : { person }
}

/** Notes that an administrator did something. */
export const noteAct = (
  { note }: Pick<Audit, 'note'>,
  ctx: Context,
  { name: key }: Backend,
  reason: string,
  about?: About,
): void => note({ kind: 'admin.acted', by: 'backend', key, reason, ip: ctx.ip, ...aboutOf(about) })

/**
 * Notes that an administrator read something: once for the pages of a list. Pages with a cursor count too,
 * because anybody can write a cursor that begins at the beginning.
 */
export const noteRead = (
  { note }: Pick<Audit, 'note'>,
  ctx: Context,
  { name: key }: Backend,
  reason: string,
  about?: About,
): void => {
  const once = { name: `${reason}.${hash('sha256', JSON.stringify([key, about]), 'base64url')}`, ms: ONE_ACT_MS }
  note({ kind: 'admin.acted', by: 'backend', key, reason, ip: ctx.ip, ...aboutOf(about) }, { once })
}
