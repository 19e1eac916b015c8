/** Messages of others may contain anything. These functions check before they read. */
export const member = (value: unknown, name: string): unknown =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined

/** A text of a message, cut to a length that a page can show; undefined if there is none. */
export const textOf = (value: unknown, name: string, most: number): string | undefined => {
  const text = member(value, name)
  return typeof text === 'string' && text.trim() ? text.slice(0, most) : undefined
}
