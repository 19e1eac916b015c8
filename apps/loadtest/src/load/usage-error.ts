/**
 * What a person asked for in words that we do not understand, or that cannot be done: its sentence is all
 * that is told.
 */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}
