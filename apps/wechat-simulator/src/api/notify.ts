import * as v from 'valibot'
import { type Endpoint, parseObject } from './endpoint.ts'

const Body = v.object({
  touser: v.string(),
  template_id: v.string(),
  page: v.optional(v.string()),
  data: v.record(v.string(), v.object({ value: v.pipe(v.string(), v.minLength(1)) })),
  miniprogram_state: v.optional(v.picklist(['developer', 'trial', 'formal'])),
})

/** What WeChat takes in fields of these types, which the beginning of a name tells. */
const FITS: Readonly<Record<string, RegExp>> = {
  thing: /^[^\p{Cc}]{1,20}$/u,
  time: /^(\d{4}([-/.])\d{1,2}\2\d{1,2} )?\d\d:\d\d(:\d\d)?$/,
  date: /^\d{4}([-/.])\d{1,2}\1\d{1,2}( \d\d:\d\d(:\d\d)?)?$/,
}
const isFit = ([name, { value }]: [string, { value: string }]): boolean =>
  FITS[name.replace(/\d+$/, '')]?.test(value) ?? true

/** `POST /cgi-bin/message/subscribe/send?access_token=`: subscribeMessage.send. */
export const notify: Endpoint = (state, { method, query, body }) => {
  if (method !== 'POST') return 43002
  const refused = state.tokens.refusal(query.get('access_token'))
  if (refused) return refused
  if (!body) return 44002
  const asked = v.safeParse(Body, parseObject(body))
  if (!asked.success) return 47001
  const { touser, template_id, page, data } = asked.output
  if (!Object.entries(data).every(isFit)) return 47003
  const sent = state.messages.send({ to: touser, template: template_id, page, data })
  return typeof sent === 'number' ? sent : { errcode: 0, errmsg: 'ok', msgid: sent.id }
}
