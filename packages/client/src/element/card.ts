import { html, nothing, type TemplateResult } from 'lit'
import type { LoginConnection, LoginState } from '../login/login-state.ts'
import { icons } from './icons.ts'
import type { PictureState } from './picture.ts'
import type { ElementText } from './text.ts'

/* Pieces of the card that depend on nothing but what they show. */

/** A sign in place of the picture, or over it. */
export const over = (kind: string, icon: TemplateResult): TemplateResult =>
  html`<div class="over ${kind}"><span class="badge">${icon}</span></div>`

/** What stands in place of the picture while there is nothing to scan. */
export const plate = (status: Exclude<LoginState['status'], 'waiting' | 'scanned'>): TemplateResult => {
  switch (status) {
    case 'confirmed':
      return over('good plate spins', icons.spinner)
    case 'done':
      return over('good plate', icons.check)
    case 'rejected':
      return over('bad plate', icons.cross)
    case 'expired':
      return over('warn plate', icons.clock)
    case 'failed':
      return over('warn plate', icons.warning)
    case 'idle':
    case 'creating':
      return over('calm plate spins', icons.spinner)
  }
}

/** The picture, or what stands in its place as long as there is none. */
export const codePicture = (
  picture: PictureState,
  dim: boolean,
  say: ElementText,
  { renew, retry }: { renew: () => void; retry: () => void },
): TemplateResult => {
  if (picture.status === 'shown')
    return html`<img class=${dim ? 'dim' : ''} src=${picture.url} alt=${say.picture} part="picture" />`
  if (dim) return html`<span></span>`
  if (picture.status === 'loading') return over('calm plate spins', icons.spinner)
  // This code has used up its pictures; a new code has not.
  const isSpent = picture.code === 'RATE_LIMITED'
  return html`<div class="over plate warn">
    <span class="badge">${icons.warning}</span>
    <button class="inside" type="button" @click=${isSpent ? renew : retry}>${isSpent ? say.renew : say.pictureAgain}</button>
  </div>`
}

/** The number that distinguishes this showing of the code from an earlier one. */
export const checkNumber = (picture: PictureState, say: ElementText): TemplateResult | typeof nothing =>
  picture.status === 'shown' && picture.check
    ? html`<p class="check" part="check"><strong>${picture.check}</strong> <span>${say.check}</span></p>`
    : nothing

/** The number that the person types on the phone. The headline says it too, for those who listen. */
export const numberToType = (number: string): TemplateResult =>
  html`<div class="over good"><strong class="number" part="number" aria-hidden="true">${number}</strong></div>`

/** Makes a screen reader spell the code instead of pronouncing it as a word. */
const spelled = (userCode: string): string => [...userCode.replace('-', '')].join(' ')

export const codeToCompare = (userCode: string, say: ElementText): TemplateResult =>
  html`<p class="code" part="code">
    <span>${say.compare}</span>
    <strong aria-hidden="true">${userCode}</strong>
    <span class="unseen">${spelled(userCode)}</span>
  </p>`

const minutes = (until: number): string => {
  const seconds = Math.max(0, Math.ceil((until - Date.now()) / 1_000))
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`
}

/**
 * How long the code is valid, or what is wrong with the connection.
 * @param expiresAt  milliseconds since 1970
 */
export const foot = (expiresAt: number, connection: LoginConnection, say: ElementText): TemplateResult => {
  if (connection === 'offline') return html`<p class="foot alert">${icons.unplugged} ${say.offline}</p>`
  if (connection === 'reconnecting') return html`<p class="foot alert">${icons.turning} ${say.reconnecting}</p>`
  return html`<p class="foot" role="timer" aria-live="off">${icons.clock} ${say.left} ${minutes(expiresAt)}</p>`
}

/**
 * The way without a scan: the first choice on a phone, and a way to try things out elsewhere.
 *
 * @param plain  where a plain code leads
 * @param link  what opens the app on this phone
 */
export const appLink = (
  plain: string | undefined,
  onPhone: boolean,
  link: string | undefined,
  say: ElementText,
): TemplateResult | typeof nothing => {
  if (plain)
    return html`<a class=${onPhone ? 'open' : 'link'} part="open" href=${plain}
      target="_blank" rel="noopener">${say.openLink} <span class="unseen">${say.newTab}</span></a>`
  // Not in a new tab: WeChat opens over this page, and the person returns to it.
  return onPhone && link ? html`<a class="open" part="open" href=${link}>${say.openWechat}</a>` : nothing
}

/** Where the card cannot go on by itself. */
export const renewal = (
  state: LoginState,
  isSlow: boolean,
  say: ElementText,
  renew: () => void,
): TemplateResult | typeof nothing => {
  const isStuck = isSlow || (state.status === 'failed' && state.react !== 'stop')
  if (!isStuck && state.status !== 'rejected' && state.status !== 'expired') return nothing
  return html`<button type="button" @click=${renew}>${isStuck ? say.again : say.renew}</button>`
}
