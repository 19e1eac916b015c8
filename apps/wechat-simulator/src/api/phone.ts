import * as v from 'valibot'
import { type Endpoint, parseObject } from './endpoint.ts'

const Body = v.object({ code: v.string() })

/** `POST /wxa/business/getuserphonenumber?access_token=`: getPhoneNumber. */
export const phone: Endpoint = (state, { method, query, body }) => {
  if (method !== 'POST') return 43002
  const refused = state.tokens.refusal(query.get('access_token'))
  if (refused) return refused
  if (!body) return 44002
  const asked = v.safeParse(Body, parseObject(body))
  if (!asked.success) return 47001
  const found = state.logins.phone(asked.output.code)
  if (!found) return 40029
  const { number, country, at } = found
  return {
    errcode: 0,
    errmsg: 'ok',
    phone_info: {
      // Numbers of other countries have their code in front.
      phoneNumber: country === '86' ? number : `+${country}${number}`,
      purePhoneNumber: number,
      countryCode: country,
      watermark: { timestamp: Math.floor(at / 1_000), appid: state.appid },
    },
  }
}
