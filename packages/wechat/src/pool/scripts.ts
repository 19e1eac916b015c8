import { type Code, fail, ok, type Result } from '@saoma/protocol'
import { scriptsIn } from '@saoma/redis'
import * as v from 'valibot'
import type { Lease, Stock } from './code.ts'

const folder = new URL('../../lua/pool/', import.meta.url)
const alone = scriptsIn('pool', folder)
const script = scriptsIn('pool', folder, 'lib')

const ImageType = v.picklist(['image/jpeg', 'image/png'])

const Leased = v.pipe(
  v.tuple([v.string(), v.number(), v.string(), v.string(), ImageType, v.string()]),
  v.transform(
    ([scene, epoch, check, key, type, sha256]): Lease => ({
      scene,
      epoch,
      ...(check ? { check } : {}),
      image: { key, type, sha256 },
    }),
  ),
)
const Refusal = v.tuple([v.picklist(['TICKET_EXPIRED', 'CHECK_REQUIRED', 'CHECK_WRONG'] satisfies Code[])])
const Found = v.tuple([v.literal('OK'), v.string()])
const Counts = v.pipe(
  v.tuple([v.number(), v.number(), v.number()]),
  v.transform(([fresh, rested, busy]): Stock => ({ fresh, rested, busy })),
)
const Strings = v.array(v.string())
const Milliseconds = v.pipe(v.string(), v.transform(Number), v.integer())
const Moment = v.optional(Milliseconds, '0')
const Fields = v.object({
  image: v.string(),
  type: ImageType,
  sha256: v.string(),
  madeAt: Milliseconds,
  epoch: Milliseconds,
  leasedUntil: Moment,
  freeAt: Moment,
})

const resolved = (raw: unknown): Result<string> => {
  const refusal = v.safeParse(Refusal, raw)
  return refusal.success ? fail(refusal.output[0]) : ok(v.parse(Found, raw)[1])
}

/** Parses the hash of a code; undefined if the code is gone. */
export const parseFields = (raw: unknown): v.InferOutput<typeof Fields> | undefined => {
  const fields = v.safeParse(Fields, raw)
  return fields.success ? fields.output : undefined
}

type Places = [fresh: string, rested: string, busy: string]

/** The Lua files, one function each. Their headers describe what they do and reply. */
export const scripts = {
  lease: script<
    [codes: string, ...Places, run: string, lease: string],
    [ticket: string, leaseMs: number, quarantineMs: number, leases: number, random: number, due: number, ttlMs: number],
    Lease | undefined
  >('lease', 6, (raw) => (raw === null ? undefined : v.parse(Leased, raw))),
  resolve: script<[code: string], [check: string], Result<string>>('resolve', 1, resolved),
  add: script<
    [code: string, fresh: string, rested: string, run: string],
    [scene: string, image: string, type: string, sha256: string, ttlMs: number],
    boolean
  >('add', 4, (raw) => raw === 1),
  stock: script<[codes: string, ...Places, run: string], [leases: number, due: number, ttlMs: number], Stock>(
    'stock',
    5,
    (raw) => v.parse(Counts, raw),
  ),
  scenes: alone<Places, [], string[]>('scenes', 3, (raw) => v.parse(Strings, raw)),
  retire: script<[codes: string, leases: string, ...Places], readonly string[], string[]>('retire', 5, (raw) =>
    v.parse(Strings, raw),
  ),
  cull: script<[codes: string, leases: string, ...Places], [max: number, most: number], string[]>('cull', 5, (raw) =>
    v.parse(Strings, raw),
  ),
  renew: script<[codes: string, ...Places, run: string], [ttlMs: number, leases: number, ...string[]], number>(
    'renew',
    5,
    (raw) => v.parse(v.number(), raw),
  ),
  lead: alone<[refiller: string], [holder: string, leaseMs: number], { won: boolean; leftMs: number }>(
    'lead',
    1,
    (raw) => {
      const [won, leftMs] = v.parse(v.tuple([v.number(), v.number()]), raw)
      return { won: won === 1, leftMs }
    },
  ),
  resign: alone<[refiller: string], [holder: string], boolean>('resign', 1, (raw) => raw === 1),
}
