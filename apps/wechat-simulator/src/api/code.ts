import * as v from 'valibot'
import { drawPicture } from '../picture.ts'
import { type Endpoint, parseObject } from './endpoint.ts'

const SCENE_LENGTH = 32
const SCENE = /^[0-9A-Za-z!#$&'()*+,/:;=?@\-._~`]+$/
const WIDTH = { least: 280, most: 1280, usual: 430 }

const Shade = v.pipe(v.union([v.number(), v.pipe(v.string(), v.regex(/^\d{1,3}$/))]), v.transform(Number))

const Body = v.object({
  scene: v.optional(v.string(), ''),
  page: v.optional(v.string()),
  check_path: v.optional(v.boolean(), true),
  env_version: v.optional(v.string(), 'release'),
  width: v.optional(v.number(), WIDTH.usual),
  auto_color: v.optional(v.boolean(), false),
  line_color: v.optional(v.object({ r: Shade, g: Shade, b: Shade }), { r: 0, g: 0, b: 0 }),
  is_hyaline: v.optional(v.boolean(), false),
  // The token belongs in the query. Sending it in the body is a common mistake.
  access_token: v.optional(v.never()),
})

/** `POST /wxa/getwxacodeunlimit?access_token=`: getUnlimitedQRCode. */
export const code: Endpoint = async (state, call) => {
  if (call.method !== 'POST') return 43002
  const refused = state.tokens.refusal(call.query.get('access_token'))
  if (refused) return refused

  if (!call.body) return 44002
  const object = parseObject(call.body)
  if (!object) return 40169
  const body = v.safeParse(Body, object)
  if (!body.success) return 47001
  const {
    scene,
    page = state.codes.home,
    check_path,
    env_version,
    width,
    auto_color,
    line_color,
    is_hyaline,
  } = body.output

  if (scene === '' || scene.length > SCENE_LENGTH) return 40169
  if (!SCENE.test(scene)) return 40129

  if (page.includes('scancode_time')) return 85096
  if (page === '' || page.startsWith('/') || page.includes('?')) return 41030
  if (check_path ? !state.codes.isPublished(page) : !state.codes.mayPointTo(page)) return 41030

  if (!['release', 'trial', 'develop'].includes(env_version)) return 40097
  if (!(width >= WIDTH.least && width <= WIDTH.most)) return 40097
  if (Object.values(line_color).some((shade) => !(shade >= 0 && shade <= 255))) return 40097

  if (!state.quotas.codes()) return 45009
  state.codes.add({ page, scene, env_version })
  const line = auto_color ? { r: 0, g: 0, b: 0 } : line_color
  return drawPicture({ page, scene, width: Math.round(width), hyaline: is_hyaline, line })
}
