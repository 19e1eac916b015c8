import { parseProblem } from '@saoma/protocol'

/** The picture of a code. `plain` means that any camera can read it; otherwise it is a mini-program code, for WeChat only. */
export type PictureState =
  | { status: 'loading' }
  | { status: 'shown'; url: string; plain: boolean }
  | { status: 'failed'; code: string }

export interface Picture {
  readonly state: PictureState
  /** Loads the picture unless it is the one shown or on its way. */
  show(qr: string): void
  /** Loads it again after a failure. */
  retry(): void
  clear(): void
}

const TIMEOUT_MS = 15_000

/**
 * Loads the picture as data instead of by an image's `src`: so a failure has a reason that can be told (WeChat is away, too many
 * requests), and the kind of code is known. The page's policy must allow `blob:` images.
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

  const load = async () => {
    round?.abort()
    round = new AbortController()
    const { signal } = round
    enter({ status: 'loading' })
    try {
      const response = await fetch(shown, {
        cache: 'no-store',
        signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
      })
      if (!response.ok) {
        const problem = parseProblem(await response.json().catch(() => undefined))
        if (!signal.aborted) enter({ status: 'failed', code: problem.ok ? problem.value.code : 'NETWORK' })
        return
      }
      const image = await response.blob()
      if (signal.aborted) return
      const plain = response.headers.get('x-saoma-code') === 'plain'
      enter({ status: 'shown', url: URL.createObjectURL(image), plain })
    } catch {
      if (!signal.aborted) enter({ status: 'failed', code: 'NETWORK' })
    }
  }

  return {
    get state() {
      return state
    },
    show: (qr) => {
      if (qr === shown) return
      shown = qr
      void load()
    },
    retry: () => void load(),
    clear: () => {
      round?.abort()
      shown = ''
      enter({ status: 'loading' })
    },
  }
}
