/** A mini-program code that was drawn. */
export interface DrawnCode {
  page: string
  scene: string
  env_version: string
}

/** Number of recent codes that callers can list, so that they need not read pictures. */
const KEPT = 1_000

export const createCodes = (published: readonly string[], mostUnpublished: number) => {
  const unpublished = new Set<string>()
  const drawn: DrawnCode[] = []
  let count = 0

  return {
    last: (): readonly DrawnCode[] => drawn,
    count: (): number => count,
    home: published[0] ?? '',

    isPublished: (page: string): boolean => published.includes(page),
    /** Whether a code may point to this page, which may be unpublished. */
    mayPointTo: (page: string): boolean =>
      published.includes(page) || unpublished.has(page) || unpublished.size < mostUnpublished,

    add: (code: DrawnCode): void => {
      if (!published.includes(code.page)) unpublished.add(code.page)
      count++
      drawn.push(code)
      if (drawn.length > KEPT) drawn.shift()
    },
  }
}

export type Codes = ReturnType<typeof createCodes>
