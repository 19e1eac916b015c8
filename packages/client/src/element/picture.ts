import { type CodePicture, parseCodePicture, parseProblem } from '@saoma/protocol'
import { boundBy } from '../core/bound.ts'

export interface ShownPicture {
  url: string
  /** Any camera can read it. Otherwise it is a mini-program code, only for WeChat. */
  plain: boolean
  /** Two digits to show beside it. */
  check?: string
  /** Whether the server has an address that opens the code on the same phone. */
  link: boolean
}

/**
 * The picture of a code. A failure's `code` is one of the protocol, `NETWORK`, `MALFORMED`, `PICTURE_CHANGED`
 * or `PICTURE_UNSHOWN`.
 */
export type PictureState =
  | { status: 'loading' }
  | ({ status: 'shown' } & ShownPicture)
  | { status: 'failed'; code: string }

export interface Picture {
  readonly state: PictureState
  /** Loads the picture, unless it is shown or being loaded already. */
  show(qr: string): void
  /** Loads it again after a failure. */
  retry(): void
  clear(): void
}

const TIMEOUT_MS = 15_000
/** Older servers without a description answer with the picture. */
const DESCRIPTION_OR_IMAGE = 'application/json, image/*;q=0.9'

const failed = (code: string): PictureState => ({ status: 'failed', code })

/** The bytes at that URL, if they have the expected hash. */
const fetchPlaced = async (
  url: string,
  integrity: string,
  signal: AbortSignal,
): Promise<Blob | 'PICTURE_CHANGED' | 'NETWORK'> => {
  const init: RequestInit = { cache: 'no-store', credentials: 'omit', referrerPolicy: 'no-referrer', signal }
  try {
    const response = await fetch(url, { ...init, integrity })
    return response.ok ? await response.blob() : 'NETWORK'
  } catch {
    // A wrong hash and a lost connection fail alike. Without the hash, only the second one fails again.
    const other = await fetch(url, init).catch(() => undefined)
    return other?.ok ? 'PICTURE_CHANGED' : 'NETWORK'
  }
}

/**
 * The picture counts as shown when the browser can decode it. It may be a captive portal's page, or the
 * page's policy may forbid it.
 */
const decoded = async (next: PictureState): Promise<PictureState> => {
  if (next.status !== 'shown') return next
  const image = new Image()
  image.src = next.url
  try {
    await image.decode()
    return next
  } catch {
    URL.revokeObjectURL(next.url)
    return failed('PICTURE_UNSHOWN')
  }
}

const load = async (qr: string, usesPlace: boolean, signal: AbortSignal): Promise<PictureState> => {
  const ask = (accept: string) => fetch(qr, { cache: 'no-store', headers: { accept }, signal })

  const image = async (response: Response, described?: CodePicture): Promise<PictureState> => {
    if (!response.ok) {
      const problem = parseProblem(await response.json().catch(() => undefined))
      return failed(problem.ok ? problem.value.code : 'NETWORK')
    }
    const { headers } = response
    const check = headers.get('x-saoma-check')
    return {
      status: 'shown',
      url: URL.createObjectURL(await response.blob()),
      plain: headers.get('x-saoma-code') === 'plain',
      ...(check ? { check } : {}),
      link: described?.link ?? false,
    }
  }

  const response = await ask(DESCRIPTION_OR_IMAGE)
  if (!response.ok || !/^application\/json\b/.test(response.headers.get('content-type') ?? '')) return image(response)
  const described = parseCodePicture(await response.json())
  if (!described.ok) return failed('MALFORMED')
  const { code, url, integrity, check, link } = described.value
  const about = { plain: code === 'plain', ...(check ? { check } : {}), link }
  if (url.startsWith('data:image/')) return { status: 'shown', url, ...about }
  if (!integrity) return failed('MALFORMED')
  const placed = usesPlace ? await fetchPlaced(url, integrity, signal) : 'NETWORK'
  if (placed === 'PICTURE_CHANGED') return failed(placed)
  // If the store fails, get the picture from the server.
  if (placed === 'NETWORK') return image(await ask('image/*'), described.value)
  return { status: 'shown', url: URL.createObjectURL(placed), ...about }
}

/**
 * Loads the picture as data, not with an image's `src`. So a failure has a reason to display (WeChat is down,
 * rate limit), the kind of code is known, and a picture from another place is checked against its hash before
 * anybody scans it. The page's policy must allow `blob:` and `data:` images.
 */
export const createPicture = (onChange: () => void): Picture => {
  let state: PictureState = { status: 'loading' }
  let shown = ''
  let round: AbortController | undefined

  const enter = (next: PictureState) => {
    if (state.status === 'shown') URL.revokeObjectURL(state.url)
    state = next
    onChange()
  }

  const begin = async (usesPlace: boolean) => {
    round?.abort()
    round = new AbortController()
    const { signal } = round
    enter({ status: 'loading' })
    const bound = boundBy([signal], TIMEOUT_MS)
    const next = await load(shown, usesPlace, bound.signal).then(decoded, () => failed('NETWORK'))
    bound.release()
    if (!signal.aborted) enter(next)
    else if (next.status === 'shown') URL.revokeObjectURL(next.url)
  }

  return {
    get state() {
      return state
    },
    show: (qr) => {
      if (qr === shown) return
      shown = qr
      void begin(true)
    },
    // After a hash mismatch, do not use the store again.
    retry: () => void begin(state.status !== 'failed' || state.code !== 'PICTURE_CHANGED'),
    clear: () => {
      round?.abort()
      shown = ''
      enter({ status: 'loading' })
    },
  }
}
