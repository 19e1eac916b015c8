import {
  channelPattern,
  fail,
  MOST_CHANNELS,
  OWN_CHANNEL,
  ok,
  type Position,
  parsePosition,
  type Result,
} from '@saoma/protocol'
import * as v from 'valibot'
import type { Principal } from '../../access/principal.ts'
import type { Context } from '../../transport/http/context.ts'
import { count } from '../../transport/http/query.ts'
import { type ChannelName, channelOf } from '../channel-name.ts'

/** A channel that a reader requests, and the reader's position in it. */
export interface ChannelQuery {
  channel: ChannelName
  since?: Position
}

/** All channels of a request, or an explanation of the error for the developer of the client. */
type Reading = { ok: true; value: ChannelQuery[] } | { ok: false; code: 'INVALID'; detail: string }

const whole = (value: ChannelQuery[]): Reading => ({ ok: true, value })
const refused = (detail: string): Reading => ({ ok: false, code: 'INVALID', detail })

/** `name` or `name;epoch;offset`, the syntax of queries and event ids. */
export const Place = v.pipe(
  v.string(),
  v.regex(new RegExp(`^(?:${OWN_CHANNEL}|${channelPattern.source.slice(1, -1)})(?:;[A-Za-z0-9_-]{1,32};\\d{1,15})?$`)),
)

const parsePlace = (who: Principal, text: string): Result<ChannelQuery> => {
  if (!v.is(Place, text)) return fail('INVALID')
  const [name, epoch, offset] = text.split(';')
  const channel = channelOf(who, name)
  if (!channel.ok) return channel
  return epoch === undefined ? ok({ channel: channel.value }) : withPosition(channel.value, epoch, offset)
}

const withPosition = (
  channel: ChannelName,
  epoch: unknown,
  offset: string | string[] | undefined,
): Result<ChannelQuery> => {
  const number = count(offset ?? '', 0, Number.MAX_SAFE_INTEGER)
  const since = number.ok ? parsePosition({ epoch, offset: number.value }) : number
  return since.ok ? ok({ channel, since: since.value }) : since
}

/** The inverse: the part of an event id that concerns one channel. */
export const formatPosition = ({ channel, since }: ChannelQuery): string =>
  since ? `${channel};${since.epoch};${since.offset}` : channel
export const PLACE_SEPARATOR = ','

/** A resumed event stream sends its last positions. They are newer than those in its address. */
const resumed = (ctx: Context, who: Principal, asked: ChannelQuery[]): Reading => {
  const places = ctx.get('Last-Event-ID')
  if (!places) return whole(asked)
  const known = new Map<string, ChannelQuery>()
  for (const text of places.split(PLACE_SEPARATOR)) {
    const place = parsePlace(who, text)
    if (!place.ok) return refused('Last-Event-ID is no id of this stream')
    if (place.value.since) known.set(place.value.channel, place.value)
  }
  return whole(asked.map((one) => known.get(one.channel) ?? one))
}

/** `GET /v1/channels/{channel}/messages?epoch=&after=` */
export const queryOfOne = (ctx: Context, who: Principal): Reading => {
  const channel = channelOf(who, ctx.params.channel)
  if (!channel.ok) return refused('this is no name of a channel')
  const { epoch, after } = ctx.query
  if (epoch === undefined && after === undefined) return resumed(ctx, who, [{ channel: channel.value }])
  const one = withPosition(channel.value, epoch, after)
  return one.ok ? resumed(ctx, who, [one.value]) : refused('epoch and after are a position: give both or none')
}

/** `GET /v1/messages?channel=&channel=` */
export const queryOfMany = (ctx: Context, who: Principal): Reading => {
  const texts = [ctx.query.channel ?? []].flat()
  if (texts.length === 0 || texts.length > MOST_CHANNELS) return refused(`ask for 1 to ${MOST_CHANNELS} channels`)
  const asked: ChannelQuery[] = []
  for (const text of texts) {
    const place = parsePlace(who, text)
    if (!place.ok) return refused('a channel is written name or name;epoch;offset')
    if (asked.some(({ channel }) => channel === place.value.channel)) return refused('a channel was named twice')
    asked.push(place.value)
  }
  return resumed(ctx, who, asked)
}
