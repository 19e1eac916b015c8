/*
 * CHANGELOG.md: one section for each version, written by hand. The newest is at the top, below the one for
 * what is not released yet.
 */

const NEXT = 'Not released yet'
const BEFORE = '### Before you update'

/** What stands under a heading of the second level, and the lines above it and below. */
const findSection = (changelog: string, isIts: (heading: string) => boolean) => {
  const lines = changelog.split('\n')
  const at = lines.findIndex((line) => line.startsWith('## ') && isIts(line.slice('## '.length)))
  if (at < 0) return undefined
  const length = lines.slice(at + 1).findIndex((line) => line.startsWith('## '))
  const end = length < 0 ? lines.length : at + 1 + length
  const body = lines
    .slice(at + 1, end)
    .join('\n')
    .trim()
  return { above: lines.slice(0, at), body, below: lines.slice(end) }
}

/** What stands under "Not released yet". Empty, if that is nothing or not there. */
export const unreleased = (changelog: string): string =>
  findSection(changelog, (heading) => heading === NEXT)?.body ?? ''

/** What stands under a version, or undefined if the version is not there. */
export const notesOf = (changelog: string, version: string): string | undefined =>
  findSection(changelog, (heading) => heading === version || heading.startsWith(`${version} `))?.body

/** Puts a sentence first under "Before you update". */
const withSentence = (body: string, sentence: string): string =>
  body.startsWith(BEFORE) || body.includes(`\n${BEFORE}\n`)
    ? body.replace(BEFORE, () => `${BEFORE}\n\n${sentence}`)
    : `${BEFORE}\n\n${sentence}\n\n${body}`

/** What a version is called, when it came, and what an operator has to know first. */
export interface Heading {
  version: string
  /** Such as 2026-11-30. */
  date: string
  sentence: string
}

/** The text with what stood under "Not released yet" under the version. Throws if nothing stood there. */
export const release = (changelog: string, { version, date, sentence }: Heading): string => {
  const found = findSection(changelog, (heading) => heading === NEXT)
  if (!found?.body) throw new Error(`Nothing stands under "${NEXT}"`)
  const text = [`## ${NEXT}`, '', `## ${version} (${date})`, '', withSentence(found.body, sentence), '']
  return `${[...found.above, ...text, ...found.below].join('\n').trimEnd()}\n`
}
