import {
  type Code,
  codes,
  fail,
  ok,
  type Result,
  type TicketStatus,
  transitions,
  verificationModes,
} from '@saoma/protocol'
import { type ScriptFlags, scriptsIn } from '@saoma/redis'
import * as v from 'valibot'

/**
 * A ticket's state as scripts report it: in milliseconds instead of seconds, and without the id, which the
 * caller knows.
 */
export interface Snapshot {
  status: TicketStatus
  version: number
  /** Milliseconds until the present status expires; 0 when it is terminal. */
  leftMs: number
  /** It is rejected because too many accounts have scanned it. */
  isVoid?: boolean
  /** The number that the page displays now. */
  number?: string
}

const Status = v.picklist(Object.keys(transitions) as TicketStatus[])
/** A code, and how many wrong numbers are left. */
const Refusal = v.tuple([v.picklist(Object.keys(codes) as Code[]), v.optional(v.number())])
const Mode = v.picklist(verificationModes)
const Milliseconds = v.pipe(v.string(), v.transform(Number), v.integer())
const Flag = v.pipe(
  v.picklist([0, 1]),
  v.transform((flag) => flag === 1),
)
const state = [v.literal('OK'), Status, v.number(), v.number()] as const

const Moved = v.pipe(
  v.tuple([...state]),
  v.transform(([, status, version, leftMs]): Snapshot => ({ status, version, leftMs })),
)
const Application = v.object({ party: v.picklist(['first', 'third']), scopes: v.array(v.string()) })
export const Request = v.pipe(
  v.string(),
  v.parseJson(),
  v.object({
    ...{ app: v.string(), ip: v.string(), browser: v.string(), os: v.string(), userCode: v.string() },
    application: v.optional(Application),
    pushed: v.optional(v.object({ message: v.optional(v.string()) })),
  }),
)
const Scanned = v.pipe(
  v.tuple([...state, Request, Milliseconds, Flag, Mode]),
  v.transform(([, status, version, leftMs, request, createdAt, isTyped, mode]) => ({
    ...{ status, version, leftMs, request, createdAt, isTyped, mode },
  })),
)
const Read = v.pipe(
  v.tuple([
    ...state,
    v.string(),
    v.string(),
    v.nullable(v.string()),
    v.nullable(Milliseconds),
    v.nullable(v.string()),
    Flag,
    v.nullable(Mode),
    v.nullable(v.string()),
  ]),
  v.transform(
    ([, status, version, leftMs, secret, authorization, sub, decidedAt, scannedAfter, isVoid, mode, number]) => ({
      status,
      version,
      leftMs,
      secret,
      authorization,
      ...(sub === null ? {} : { sub }),
      ...(decidedAt === null ? {} : { decidedAt }),
      ...(scannedAfter === null ? {} : { scannedAfter }),
      ...(isVoid ? { isVoid } : {}),
      ...(mode === null ? {} : { mode }),
      ...(number === null ? {} : { number }),
    }),
  ),
)
const Redeemed = v.pipe(
  v.tuple([...state, v.string(), v.string(), Milliseconds, v.nullable(Mode)]),
  v.transform(([, status, version, leftMs, authorization, sub, decidedAt, mode]) => ({
    status,
    version,
    leftMs,
    authorization,
    sub,
    decidedAt,
    ...(mode === null ? {} : { mode }),
  })),
)

/** Turns `{ 'OK', … }` into a value and a single word into that code. Throws on anything else. */
const reply =
  <T>(schema: v.GenericSchema<unknown, T>) =>
  (raw: unknown): Result<T> => {
    if (Array.isArray(raw) && raw[0] === 'OK') return ok(v.parse(schema, raw))
    const [code, left] = v.parse(Refusal, raw)
    return left === undefined ? fail(code) : { ...fail(code), left }
  }

const script = scriptsIn('tickets', new URL('../lua/', import.meta.url), 'lib')

const define = <K extends readonly string[], A extends readonly (string | number)[], T>(
  verb: string,
  numberOfKeys: K['length'],
  schema: v.GenericSchema<unknown, T>,
  flags?: ScriptFlags,
) => script<K, A, Result<T>>(verb, numberOfKeys, reply(schema), flags)

type Ticket = [ticket: string]
type TicketAndChannel = [ticket: string, channel: string]
type Event = [head: string, tail: string]
type Decision = [sub: string, nextMs: number, keepMs: number, ...Event]

/** The Lua files, one function each. Their headers describe what they do and reply. */
export const scripts = {
  create: define<
    Ticket,
    [
      secret: string,
      request: string,
      authorization: string,
      scanMs: number,
      keepMs: number,
      terms: string,
      verify: string,
      number: string,
      network: string,
      owner: string,
    ],
    Snapshot
  >('create', 1, Moved),
  read: define<Ticket, [], v.InferOutput<typeof Read>>('read', 1, Read),
  scan: define<
    TicketAndChannel,
    [...Decision, scannedAfter: string, most: number, network: string, listed: string],
    v.InferOutput<typeof Scanned>
  >('scan', 2, Scanned),
  confirm: define<
    TicketAndChannel,
    [...Decision, terms: string, number: string, network: string, mostWrong: number],
    Snapshot
  >('confirm', 2, Moved),
  reject: define<TicketAndChannel, [sub: string, keepMs: number, ...Event], Snapshot>('reject', 2, Moved, {
    // A person must always be able to refuse. It writes only a status and an account name into an existing
    // record.
    allowOom: true,
  }),
  redeem: define<TicketAndChannel, [secret: string, keepMs: number, ...Event], v.InferOutput<typeof Redeemed>>(
    'redeem',
    2,
    Redeemed,
  ),
  typed: script<Ticket, [sub: string, mostNames: number], boolean>('typed', 1, (raw) => raw === 1),
  poll: script<Ticket, [intervalMs: number, stepMs: number, mostMs: number, graceMs: number], boolean>(
    'poll',
    1,
    (raw) => raw === 1,
  ),
}
