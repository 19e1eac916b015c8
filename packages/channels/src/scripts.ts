import { fail, ok, type Result } from '@saoma/protocol'
import { type ScriptFlags, scriptsIn } from '@saoma/redis'
import * as v from 'valibot'

const Flag = v.pipe(
  v.picklist([0, 1]),
  v.transform((flag) => flag === 1),
)

/** A flattened list of stream entries: id, text, id, text, … */
const Entries = v.pipe(
  v.array(v.string()),
  v.transform((flat) => {
    const entries: { offset: number; body: string }[] = []
    for (let i = 1; i < flat.length; i += 2)
      entries.push({ offset: Number.parseInt(flat[i - 1] ?? '', 10), body: flat[i] ?? '' })
    return entries
  }),
)

const Page = v.pipe(
  v.tuple([v.string(), v.number(), v.picklist(['recovered', 'fresh', 'epoch', 'trimmed']), Flag, Entries, v.number()]),
  v.transform(([epoch, offset, how, more, entries, mark]) => ({ epoch, offset, how, more, entries, mark })),
)
const Checked = v.pipe(
  v.tuple([v.string(), v.number(), v.number(), Flag]),
  v.transform(([epoch, top, people, same]) => ({ epoch, top, people, same })),
)
const Place = v.pipe(
  v.tuple([v.string(), v.number()]),
  v.transform(([epoch, offset]) => ({ epoch, offset })),
)
const Inbox = v.pipe(
  v.tuple([v.number(), v.number()]),
  v.transform(([read, unread]) => ({ read, unread })),
)
const People = v.pipe(
  v.tuple([v.number(), v.number(), v.array(v.string())]),
  v.transform(([connections, count, users]) => ({ connections, count, users })),
)
const Summary = v.pipe(
  v.tuple([v.string(), v.number(), v.number(), v.number(), v.number(), v.number()]),
  v.transform(([epoch, offset, oldest, messages, connections, people]) => ({
    ...{ epoch, offset, oldest, messages, connections, people },
  })),
)
const Beat = v.pipe(
  v.tupleWithRest([Flag], v.string()),
  v.transform(([taken, ...overdue]) => ({ taken, overdue })),
)

const parsing =
  <T>(schema: v.GenericSchema<unknown, T>) =>
  (raw: unknown): T =>
    v.parse(schema, raw)

/** The place of a message, and who followed the channel then. */
interface Receipt {
  epoch: string
  offset: number
  connections: number
  repeated: boolean
}

const RECEIPT = /^(\S+) (\d+) (\d+) ([01])$/

/** `unused`: the message would be the first of a new channel, and may not be. */
const published = (raw: unknown): Result<Receipt> | 'unused' => {
  if (raw === 'UNUSED') return 'unused'
  if (raw === 'KEY_REUSED') return fail('KEY_REUSED')
  const [, epoch, offset, connections, repeated] = RECEIPT.exec(String(raw)) ?? []
  if (epoch === undefined) throw new TypeError(`this is not a reply to a publication: ${raw}`)
  return ok({ epoch, offset: Number(offset), connections: Number(connections), repeated: repeated === '1' })
}

const script = scriptsIn('channels', new URL('../lua/', import.meta.url), 'lib')

const define = <K extends readonly string[], A extends readonly (string | number)[], T>(
  verb: string,
  numberOfKeys: K['length'],
  schema: v.GenericSchema<unknown, T>,
  flags?: ScriptFlags,
) => script<K, A, T>(verb, numberOfKeys, parsing(schema), flags)

const evenWhenFull: ScriptFlags = { allowOom: true }

type Log = [meta: string, log: string]

/** The Lua files, one function each. Their headers describe what they do and reply. */
export const scripts = {
  publish: script<
    [...Log, people: string, live: string, receipt: string],
    [content: string, newEpoch: string, messages: number, ageMs: number, receiptMs: number, begins: 0 | 1],
    ReturnType<typeof published>
  >('publish', 5, published, { neverWhenFull: true }),
  publishVolatile: define<[people: string, live: string], [content: string], number>('publish-volatile', 2, v.number()),
  read: define<
    Log,
    [
      newEpoch: string,
      ageMs: number,
      sinceEpoch: string,
      sinceOffset: number,
      history: number,
      limit: number,
      mostBytes: number,
      goOn: 0 | 1,
    ],
    v.InferOutput<typeof Page>
  >('read', 2, Page),
  compare: define<
    [...Log, people: string, mine: string],
    [newEpoch: string, ...offsetAndMark: number[]],
    v.InferOutput<typeof Checked>
  >('compare', 4, Checked),
  rotate: define<
    Log,
    [newEpoch: string, epoch: string, offset: number, unsure: number, most: number, ...offsetAndMark: number[]],
    v.InferOutput<typeof Place>
  >('rotate', 2, Place),
  summary: define<[...Log, people: string], [ageMs: number], v.InferOutput<typeof Summary>>('summary', 3, Summary),
  inbox: define<Log, [newEpoch: string, ageMs: number], v.InferOutput<typeof Inbox>>('inbox', 2, Inbox),
  markRead: define<
    [...Log, live: string],
    [newEpoch: string, ageMs: number, offset: number],
    v.InferOutput<typeof Inbox>
  >('mark-read', 3, Inbox),
  people: define<[people: string], [most: number], v.InferOutput<typeof People>>('people', 1, People),
  end: define<
    [ends: string, live: string],
    [sid: string, id: string, ms: number, most: number, keep: string, told: string],
    number
  >('end', 2, v.number(), evenWhenFull),
  register: define<[channels: string], [channel: string], number>('register-channel', 1, v.number()),
  registerAgain: define<[channels: string], [channel: string], number>('register-channel', 1, v.number(), evenWhenFull),
  setPresence: define<
    [people: string, mine: string, live: string],
    [announces: 0 | 1, ...userAndConnections: (string | number)[]],
    number
  >('set-presence', 3, v.number()),
  /** The same for people that Redis already has: it needs no additional memory for them. */
  setPresenceAgain: define<
    [people: string, mine: string, live: string],
    [announces: 0 | 1, ...userAndConnections: (string | number)[]],
    number
  >('set-presence', 3, v.number(), evenWhenFull),
  lockSweep: define<[lock: string], [node: string, ms: number], boolean>('lock-sweep', 1, Flag, evenWhenFull),
  sweep: define<[people: string, mine: string, live: string], [announces: 0 | 1, most: number], number>(
    'sweep',
    3,
    v.number(),
    evenWhenFull,
  ),
  beat: define<[nodes: string], [node: string, aliveMs: number, first: 0 | 1], v.InferOutput<typeof Beat>>(
    'beat',
    1,
    Beat,
    evenWhenFull,
  ),
}
