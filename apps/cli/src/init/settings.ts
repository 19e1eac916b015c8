import { readSource } from './sources.ts'

/** Settings that belong together, with the comment above them. */
interface Paragraph {
  /** The part of the template, such as `the cluster`. */
  part: string
  comment: string
  /** The lines of the template, by name: `#SAOMA_GATEWAYS=2`, where 2 is the default. */
  lines: Map<string, string>
}

const PART = /^# -+ (.+)$/
const SETTING = /^#?([A-Z][A-Z0-9_]*)=/
/** What compose does by default in the demo. */
const OF_THE_DEMO = /(?:\n# | )\(compose: [^)]*\)/g

/** The settings of `.env.template`, in its order. */
const readTemplate = (): Paragraph[] => {
  const paragraphs: Paragraph[] = []
  let part = ''
  let comments: string[] = []
  for (const line of readSource('.env.template').split('\n')) {
    const [, heading] = PART.exec(line) ?? []
    const [, name] = SETTING.exec(line) ?? []
    const last = paragraphs.at(-1)
    if (heading !== undefined) part = heading
    if (name !== undefined) {
      // Names without a comment between them belong together.
      if (comments.length === 0 && last) last.lines.set(name, line)
      else
        paragraphs.push({
          part,
          comment: comments.join('\n').replaceAll(OF_THE_DEMO, ''),
          lines: new Map([[name, line]]),
        })
    }
    if (heading !== undefined || name !== undefined || line === '') comments = []
    else comments.push(line)
  }
  return paragraphs
}

/** The settings of a file: each has its value, or undefined for the line of the template. */
export type Chosen = Readonly<Record<string, string | undefined>>

/**
 * The text of a file of settings, with the comments of `.env.template`.
 *
 * @param chosen  the settings that stand in it. The template decides the order
 * @param comments  what to say of a setting instead of the template's words
 */
export const settingsFile = (head: string, chosen: Chosen, comments: Readonly<Record<string, string>> = {}): string => {
  const template = readTemplate()
  const known = template.flatMap(({ lines }) => [...lines.keys()])
  const unknown = Object.keys(chosen).find((name) => !known.includes(name))
  if (unknown !== undefined) throw new Error(`.env.template does not explain ${unknown}`)
  const all = [head]
  let inPart = ''
  for (const { part, comment, lines } of template) {
    const wanted = [...lines].filter(([name]) => Object.hasOwn(chosen, name))
    if (wanted.length === 0) continue
    if (part !== inPart) all.push(`# ---- ${part.replace(/[:(].*$/, '').trimEnd()}`)
    inPart = part
    const said = wanted.map(([name]) => comments[name]).find((words) => words !== undefined) ?? comment
    const values = wanted.map(([name, line]) => (chosen[name] === undefined ? line : `${name}=${chosen[name]}`))
    all.push([...(said ? [said] : []), ...values].join('\n'))
  }
  return `${all.join('\n\n')}\n`
}
