import { request } from '@saoma/testing'

/**
 * What a page or a script of the build names: everything in `/assets/`, and what a script loads beside
 * itself.
 */
const partsIn = (text: string): string[] => [
  ...[...text.matchAll(/\/assets\/[\w.-]+\.(?:js|css)/g)].map(([part]) => part),
  ...[...text.matchAll(/["'`]\.\/([\w.-]+\.(?:js|css))["'`]/g)].map(([, name]) => `/assets/${name}`),
]

/** A page as a browser got it. */
export interface Visit {
  html: string
  /** Of everything that was asked for, as `200 /assets/…`. */
  answers: string[]
}

const get = async (origin: string, path: string) => {
  const { status, body } = await request(`${origin}${path}`)
  return { answer: `${status} ${path}`, text: String(body) }
}

/**
 * Loads all that a page names, and what that names in turn, those parts too which a browser loads when they
 * are wanted.
 */
export const loadParts = async (origin: string, html: string): Promise<string[]> => {
  const answers: string[] = []
  const seen = new Set<string>()
  const load = async (path: string): Promise<void> => {
    if (seen.has(path)) return
    seen.add(path)
    const { answer, text } = await get(origin, path)
    answers.push(answer)
    await Promise.all(partsIn(text).map(load))
  }
  await Promise.all(partsIn(html).map(load))
  return answers
}

export const visit = async (origin: string, path: string): Promise<Visit> => {
  const { answer, text } = await get(origin, path)
  return { html: text, answers: [answer, ...(await loadParts(origin, text))] }
}
