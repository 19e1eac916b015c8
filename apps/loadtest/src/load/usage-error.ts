/**
 * An invalid request of the user: unknown words, or something impossible. The program prints the sentence
 * only.
 */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}
