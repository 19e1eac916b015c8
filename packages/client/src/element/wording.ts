import type { LoginState } from '../login/login-state.ts'
import type { PictureState } from './picture.ts'
import { type ElementText, type Language, sayFailure } from './text.ts'

/** What the card says in a state of its login. */
export const headlineOf = (state: LoginState, picture: PictureState, say: ElementText, language: Language): string => {
  if (state.status === 'failed' || (state.status === 'rejected' && state.code))
    return sayFailure(state.code ?? '', language)
  if (state.status === 'scanned' && state.number) return say.typeNumber.replace('{n}', state.number)
  if (state.status === 'waiting' && picture.status === 'failed') return say.pictureFailed
  return state.status === 'idle' ? say.creating : say[state.status]
}

/**
 * What it says below that.
 *
 * @param onPhone  whether page and app may be on the same phone
 * @param hasLink  whether there is a link that opens the app
 */
export const hintOf = (
  state: LoginState,
  picture: PictureState,
  say: ElementText,
  language: Language,
  onPhone: boolean,
  hasLink: boolean,
): string | undefined => {
  if (state.status === 'scanned') return say.onlyIfSame
  if (state.status === 'rejected') return say.nobody
  if (state.status === 'failed') return `${say.reason}: ${state.code}`
  if (state.status !== 'waiting') return undefined
  if (picture.status === 'failed') return sayFailure(picture.code, language)
  if (picture.status === 'loading') return undefined
  if (onPhone && (picture.plain || hasLink)) return say.samePhone
  return picture.plain ? say.withCamera : say.withWechat
}
