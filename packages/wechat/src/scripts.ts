import { scriptsIn } from '@saoma/redis'
import * as v from 'valibot'

const script = scriptsIn('wechat', new URL('../lua/', import.meta.url))

const Claim = v.pipe(
  v.tuple([v.picklist(['TOKEN', 'FETCH', 'WAIT']), v.string(), v.number()]),
  v.transform(([verdict, value, leftMs]) => ({ verdict, value, leftMs })),
)
type Claim = v.InferOutput<typeof Claim>

const yes = (raw: unknown): boolean => raw === 1

/** The Lua files, one function each. Their headers describe what they do and reply. */
export const scripts = {
  claim: script<
    [token: string, lock: string],
    [holder: string, lockMs: number, aheadMs: number, refused: string],
    Claim
  >('claim', 2, (raw) => v.parse(Claim, raw)),
  settle: script<[token: string, lock: string], [holder: string, value: string, lifeMs: number], boolean>(
    'settle',
    2,
    yes,
  ),
  force: script<
    [forced: string, lock: string],
    [holder: string, lockMs: number, gapMs: number, perDay: number, dayMs: number],
    boolean
  >('force', 2, yes),
}
