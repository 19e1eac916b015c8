import { html, nothing, type TemplateResult } from 'lit'
import { sayCode } from '../codes.ts'
import type { TicketPicture } from './picture.ts'

/** What the pages with a picture say about it, each in its own words. */
interface PictureText {
  working: string
  again: string
  picture: string
  check: string
}

/**
 * The picture to scan, or what there is in its place.
 *
 * @param hint  how to scan it
 */
export const pictureView = ({ picture, load }: TicketPicture, say: PictureText, hint: string): TemplateResult => {
  if (picture.status === 'loading') return html`<p class="sub" role="status">${say.working}</p>`
  if (picture.status === 'failed')
    return html`<p class="error" role="alert">${sayCode(picture.code)}</p>
      <button class="button" type="button" @click=${load}>${say.again}</button>`
  return html`
    <img class="picture" src=${picture.url} alt=${say.picture} width="280" height="280" />
    ${picture.check ? html`<p class="usercode"><span>${say.check}</span><strong>${picture.check}</strong></p>` : nothing}
    <p class="sub">${hint}</p>
  `
}
