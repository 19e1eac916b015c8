import { readFile } from 'node:fs/promises'
import { parsePooledScene, parseTicket } from '@saoma/protocol'
import { readCode, request } from '@saoma/testing'

const LINK = /^(https:\/\/wxaurl\.cn\/|weixin:)/

/** The newest code that WeChat drew for a page. A pooled code belongs to no page yet. */
const newest = async (simulator: string): Promise<string> => {
  const { body } = await request<{ codes: readonly { scene: string }[] }>(`${simulator}/simulator/codes`)
  const drawn = body.codes.findLast(({ scene }) => parseTicket(scene).ok)
  if (!drawn) throw new Error('WeChat has drawn no code for a page yet: open the page first.')
  return drawn.scene
}

const tap = async (url: string, simulator: string): Promise<string> => {
  const { status, body } = await request<{ query: { scene?: string } }>(`${simulator}/simulator/links/open`, {
    json: { url },
  })
  if (status !== 200 || !body.query.scene) throw new Error(`WeChat cannot open ${url}: ${body}`)
  return body.query.scene
}

const readPicture = async (file: string): Promise<string> => {
  const picture = await readFile(file).catch(() => undefined)
  if (!picture)
    throw new Error(`${file} is no ticket (22 characters), no code made ahead (24), and no file that can be read.`)
  try {
    return readCode(picture).scene
  } catch {
    throw new Error(
      `${file} is not a picture that the simulator drew. Save the picture itself from the page: a screenshot is not enough.`,
    )
  }
}

/**
 * The `scene` that opens the mini-program. Throws an error for the user if there is none.
 * @param seen  a scene, the file of a picture, or the address behind "Open in WeChat". @default the newest
 *   code that WeChat drew for a page
 * @param simulator  origin of WeChat's server
 */
export const sceneOf = async (seen: string | undefined, simulator: string): Promise<string> => {
  if (seen === undefined) return newest(simulator)
  if (LINK.test(seen)) return tap(seen, simulator)
  return parseTicket(seen).ok || parsePooledScene(seen).ok ? seen : readPicture(seen)
}
