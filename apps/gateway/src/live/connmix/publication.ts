import { fail, ok, type Publication, parseExact, type Result, userOf } from '@saoma/protocol'
import { ChannelName } from '@saoma/protocol/schemas'
import * as v from 'valibot'

/** Event of a message that was published as arbitrary CONNMIX text. Its data is that text. */
export const MESH_TEXT = 'mesh.text'
/** Event of a message that was published as bytes. Its data is their base64. */
export const MESH_BINARY = 'mesh.binary'
/** Event name that CONNMIX's clients use for messages in a person's own channel. */
const OWN_EVENT = '@user'

/** Parameters of CONNMIX's `mesh.publish`: channel, data, and whether the data is text or base64. */
export const MeshPublication = v.object({
  c: ChannelName,
  d: v.string(),
  t: v.optional(v.picklist(['text', 'binary']), 'text'),
})

/** The data of `{"event":"@user","data":…}`, if the text is exactly how we would write it again. */
const ownData = (text: string): { data: unknown } | undefined => {
  try {
    const parsed = parseExact(text)
    if (typeof parsed !== 'object' || parsed === null || !('event' in parsed && 'data' in parsed)) return undefined
    const { event, data } = parsed
    return event === OWN_EVENT && JSON.stringify({ event, data }) === text ? { data } : undefined
  } catch {
    return undefined // Any text may be published; most of it is no JSON.
  }
}

const isBase64 = (text: string): boolean => Buffer.from(text, 'base64').toString('base64') === text

/**
 * Converts the parameters of CONNMIX's `mesh.publish` to a publication. A text that its clients read as an
 * event of the person's own channel becomes that event, readable on every door. Other texts, and bytes, are
 * kept unchanged.
 */
export const meshPublication = (params: unknown): Result<Publication> => {
  const parsed = v.safeParse(MeshPublication, params)
  if (!parsed.success) return fail('INVALID')
  const { c, d, t } = parsed.output
  if (t === 'binary') return isBase64(d) ? ok({ channel: c, event: MESH_BINARY, data: d }) : fail('INVALID')
  const own = userOf(c) === undefined ? undefined : ownData(d)
  return ok(own ? { channel: c, event: OWN_EVENT, data: own.data } : { channel: c, event: MESH_TEXT, data: d })
}
