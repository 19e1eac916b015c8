import { html, svg, type TemplateResult } from 'lit'

/**
 * Line icons on a grid of 24, in the text's colour. They are decoration: the sentence beside them has the
 * meaning.
 */
const icon = (
  paths: TemplateResult,
) => html`<svg viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="1.75"
    stroke-linecap="round" stroke-linejoin="round" aria-hidden="true" focusable="false">${paths}</svg>`

export const icons = {
  phone: icon(
    svg`<rect x="6.5" y="2.5" width="11" height="19" rx="2.5"/><path d="m9.5 11.8 1.8 1.8 3.3-3.6M11 18.5h2"/>`,
  ),
  check: icon(svg`<circle cx="12" cy="12" r="9.25"/><path d="m7.8 12.3 2.9 2.9 5.6-6"/>`),
  cross: icon(svg`<circle cx="12" cy="12" r="9.25"/><path d="m8.8 8.8 6.4 6.4m0-6.4-6.4 6.4"/>`),
  clock: icon(svg`<circle cx="12" cy="12" r="9.25"/><path d="M12 6.8V12l3.4 2.2"/>`),
  warning: icon(svg`<path d="M12 3.6 2.6 20h18.8L12 3.6ZM12 10v4.6"/><path d="M12 17.3v.1"/>`),
  unplugged: icon(
    svg`<path d="M2.5 8.6A14.6 14.6 0 0 1 12 5m9.5 3.6A14.6 14.6 0 0 0 16.8 6M5.8 12.3A9.8 9.8 0 0 1 10 10m8.2 2.3a9.8 9.8 0 0 0-2.4-1.6M9 15.8a5 5 0 0 1 6 0M3.5 3.5l17 17"/><path d="M12 19v.1"/>`,
  ),
  turning: icon(svg`<path d="M20.5 12a8.5 8.5 0 1 1-2.7-6.2M20.5 3.5v4h-4"/>`),
  spinner: icon(svg`<path d="M12 2.75A9.25 9.25 0 1 1 2.75 12"/>`),
} as const satisfies Record<string, TemplateResult>
