import * as v from 'valibot'
import { signDiagnosis } from '../access/diagnosis-token.ts'
import { DIAGNOSIS_PATH, Diagnosis } from '../transport/http/diagnosis.ts'
import { ask, jsonOf, type Reply } from './ask.ts'

export interface Diagnosed {
  diagnosis: Diagnosis
  /** Both ends of the connection that the doctor had, to the proxy or the balancer. */
  own: string
  peer: string
}

/** No diagnosis: a node that refuses, or no answer of a node. */
export interface Undiagnosed {
  /** The node that refused; undefined if something else answered, or nothing. */
  node: string | undefined
  /** Of its answer; undefined if there was none. */
  status?: number
  why: string
}

/** Whether a node does not take the secret: it answers as for an unknown address. */
export const isUnknown = ({ status }: Undiagnosed): boolean => status === 404

export interface DiagnoseOptions {
  signal: AbortSignal
  /** Tried one after another, until a node takes one. */
  secrets: readonly string[]
  headers?: Readonly<Record<string, string>>
  localAddress?: string
}

/** A node takes a proof for a minute. Beyond this the clock of the answer is taken. */
const CLOCK_MS = 10_000
/** No proof is made for a moment that is further away: somebody could keep it until then. */
const MOST_APART_MS = 300_000

const WHYS: Readonly<Record<number, string>> = {
  404: 'it does not take this SAOMA_SECRET, or is of a former version (404)',
  429: 'this address has made too many requests (429)',
  503: 'it is going away, or is without Redis (503)',
}

const inForm = (reply: Reply): Diagnosis | undefined => {
  const parsed = v.safeParse(Diagnosis, jsonOf(reply))
  return parsed.success ? parsed.output : undefined
}

/** Asks one node, whichever it is, how it sees this request. Never rejects. */
export const diagnose = async (
  origin: string,
  { signal, secrets, headers = {}, localAddress }: DiagnoseOptions,
): Promise<Diagnosed | Undiagnosed> => {
  const url = `${origin}${DIAGNOSIS_PATH}`
  const { host } = new URL(origin)
  const from = localAddress ? { localAddress } : {}
  let last: Undiagnosed = { node: undefined, why: 'no secret is known' }
  let offsetMs = 0
  for (const secret of secrets) {
    // At most twice: with this machine's clock, and with the one of the answer.
    for (let turn = 0; turn < 2; turn++) {
      const proof = { Authorization: `Bearer ${signDiagnosis(secret, host, Date.now() + offsetMs)}` }
      const reply = await ask(url, { signal, headers: { ...headers, ...proof }, ...from })
      if (!reply.ok) return { node: undefined, why: reply.why }
      const diagnosis = reply.status === 200 ? inForm(reply) : undefined
      if (diagnosis) return { diagnosis, own: reply.own, peer: reply.peer }
      const { status } = reply
      const node = [reply.headers['x-saoma-node'] ?? []].flat()[0]
      last = { node, status, why: WHYS[status] ?? `its answer has the status ${status}` }
      // Another secret would get the same.
      if (!isUnknown(last)) return last
      const apartMs = Date.parse(reply.headers.date ?? '') - Date.now()
      if (offsetMs !== 0 || !(Math.abs(apartMs) > CLOCK_MS)) break
      if (Math.abs(apartMs) > MOST_APART_MS)
        return {
          node,
          why: `the clocks are ${Math.round(Math.abs(apartMs) / 1_000)} s apart, and no proof is made for such a moment`,
        }
      offsetMs = apartMs
    }
  }
  return last
}
