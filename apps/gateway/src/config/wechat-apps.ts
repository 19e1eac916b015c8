import * as v from 'valibot'

/** A mini-program beside the one that draws the codes. People are known in it, and log in with it. */
export interface WechatApp {
  appid: string
  secret: string
}

const App = v.strictObject(
  {
    appid: v.pipe(
      v.string('appid must be a text'),
      v.regex(/^[\w-]{1,64}$/, 'appid must be 1 to 64 of A-Z a-z 0-9 _ -'),
    ),
    secret: v.pipe(
      v.string('secret must be a text'),
      v.regex(/^\S(.*\S)?$/, 'secret must be a text without spaces around it'),
    ),
  },
  'it must be { "appid": "wx…", "secret": "…" } and nothing else',
)
/** Each has its own access token, and its own calls to WeChat. */
const MOST_APPS = 50

/** Reads a JSON array of apps. An empty text means none. Problems do not quote a secret. */
export const parseWechatApps = (text: string): { value: readonly WechatApp[]; problems: readonly string[] } => {
  const none = (problem: string) => ({ value: [], problems: [problem] })
  let written: unknown
  try {
    written = text.trim() ? JSON.parse(text) : []
  } catch (error) {
    // The message also quotes what is there, which may be a secret.
    const [, line] = /\(line (\d+) column \d+\)$/.exec((error as SyntaxError).message) ?? []
    return none(`is no JSON${line === undefined ? '' : `: look at line ${line}`}`)
  }
  if (!Array.isArray(written)) return none('must be a JSON array of { "appid": "wx…", "secret": "…" }')
  const value: WechatApp[] = []
  for (const [i, entry] of written.entries()) {
    const parsed = v.safeParse(App, entry, { abortEarly: true })
    if (!parsed.success) return none(`has a wrong entry ${i + 1}: ${parsed.issues[0].message}`)
    if (value.some(({ appid }) => appid === parsed.output.appid)) return none(`names ${parsed.output.appid} twice`)
    value.push(parsed.output)
  }
  return value.length > MOST_APPS ? none(`must have at most ${MOST_APPS} apps`) : { value, problems: [] }
}
