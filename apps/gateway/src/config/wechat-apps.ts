import * as v from 'valibot'

/** A mini-program beside the one that draws the codes. People are known in it, and log in with it. */
export interface WechatApp {
  appid: string
  secret: string
}

const Apps = v.array(
  v.strictObject({ appid: v.pipe(v.string(), v.regex(/^[\w-]{1,64}$/)), secret: v.pipe(v.string(), v.minLength(1)) }),
)
/** Each has its own access token, and its own calls to WeChat. */
const MOST_APPS = 50

/** Reads a JSON array of apps. An empty text means none. Problems do not quote a secret. */
export const parseWechatApps = (text: string): { value: readonly WechatApp[]; problems: readonly string[] } => {
  const none = (problem: string) => ({ value: [], problems: [problem] })
  let written: unknown
  try {
    written = text.trim() ? JSON.parse(text) : []
  } catch {
    return none('is no JSON')
  }
  const parsed = v.safeParse(Apps, written)
  if (!parsed.success) return none('must be a JSON array of { "appid": "wx…", "secret": "…" }')
  const appids = parsed.output.map(({ appid }) => appid)
  if (new Set(appids).size < appids.length) return none('names an appid twice')
  if (appids.length > MOST_APPS) return none(`must have at most ${MOST_APPS} apps`)
  return { value: parsed.output, problems: [] }
}
