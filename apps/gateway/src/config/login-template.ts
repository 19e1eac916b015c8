import * as v from 'valibot'

/** What a field of a message says. */
const says = ['app', 'time'] as const
type Says = (typeof says)[number]

/** The template of WeChat's subscription message that tells a person of a request to log in. */
export interface LoginTemplate {
  id: string
  /** The names that the template has for its fields, such as `thing1`. */
  fields: readonly { name: string; says: Says }[]
}

const ID = /^[\w-]{20,64}$/
const FIELD = /^([a-z_]+\d+)=(app|time)$/
const RULE = 'must be the id of a template and what its fields say, such as: AbC… thing1=app time2=time'

/** Reads the setting: an id, and fields with what they say, with spaces between. */
const parseLoginTemplate = (text: string): { value: LoginTemplate } | { problem: string } => {
  const [id = '', ...words] = text.trim().split(/\s+/)
  const fields = words.map((word) => FIELD.exec(word))
  if (!ID.test(id) || fields.length === 0 || fields.some((field) => field === null)) return { problem: RULE }
  const named = fields.map((field) => ({ name: field?.[1] ?? '', says: (field?.[2] ?? 'app') as Says }))
  if (new Set(named.map(({ name }) => name)).size !== named.length) return { problem: 'names a field twice' }
  return { value: { id, fields: named } }
}

export const loginTemplate = v.pipe(
  v.string(),
  v.rawTransform<string, LoginTemplate>(({ dataset, addIssue, NEVER }) => {
    const parsed = parseLoginTemplate(dataset.value)
    if ('value' in parsed) return parsed.value
    addIssue({ message: parsed.problem })
    return NEVER
  }),
)

/** WeChat takes twenty characters in a field of text. */
const LONGEST = 20
/** WeChat's servers and most of its people are there. */
const timeOf = (now: Date): string =>
  new Intl.DateTimeFormat('sv-SE', { timeZone: 'Asia/Shanghai', dateStyle: 'short', timeStyle: 'short' }).format(now)

/** The fields of a message, in WeChat's form. */
export const messageData = (
  fields: LoginTemplate['fields'],
  { app, now = new Date() }: { app: string; now?: Date },
): Record<string, { value: string }> =>
  Object.fromEntries(
    fields.map((field) => [
      field.name,
      { value: field.says === 'app' ? [...app].slice(0, LONGEST).join('') : timeOf(now) },
    ]),
  )
