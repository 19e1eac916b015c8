/*
 * An estimate of how many guesses a secret is worth, as a power of two. It is meant to be simple: it finds
 * what people type, and takes everything else for random. What it counts is written in
 * docs/troubleshooting.md, "secret-strength".
 */

/** Words that people put into secrets. The first that fits counts, so longer ones stand before. */
const WORDS =
  'password passwort passwd changeit changeme please example production development staging default welcome letmein secret geheim saoma wechat redis admin login token demo test user root null todo key'.split(
    ' ',
  )
const ROWS = ['abcdefghijklmnopqrstuvwxyz', '01234567890', 'qwertyuiop', 'asdfghjkl', 'zxcvbnm', '1qaz2wsx3edc4rfv']
const SEQUENCES = ROWS.flatMap((row) => [row, [...row].reverse().join('')])

/** Least characters of a sequence or a repetition that count as one. */
const LEAST = 3
/** A word, a sequence or a repetition: one of some thousand that a guesser tries first. */
const PIECE_BITS = 11
/** The same of at most three characters: a, of, is, 01. */
const SHORT_BITS = 5
/** The longest run of letters that is taken for a word. Longer ones are random letters. */
const LONGEST_WORD = 12
/** The second and every further one of a separator, such as the spaces of a sentence. */
const SEPARATOR_BITS = 1
/** Base64 has three characters beside letters and digits. More are a kind of their own. */
const MOST_SEPARATORS = 3
/** What comes after that is not judged: the time would grow with its square. */
const MOST_JUDGED = 256

/** How many characters of `text` a piece takes that begins at `i`; 0 if none does. */
const pieceAt = (text: string, lower: string, i: number): number => {
  const word = WORDS.find((known) => lower.startsWith(known, i))
  if (word) return word.length
  // A word or a number between other characters than letters and digits, as in a sentence or a date.
  const [run = ''] = /^(?:[a-z]+|\d+)/.exec(lower.slice(i)) ?? []
  const isWhole = !/[a-z0-9]/.test(lower[i - 1] ?? ' ') && !/[a-z0-9]/.test(lower[i + run.length] ?? ' ')
  const isPlain = /^(?:[A-Za-z][a-z]*|\d+)$/.test(text.slice(i, i + run.length))
  if (isWhole && isPlain && run.length <= LONGEST_WORD) return run.length
  for (let length = text.length - i; length >= LEAST; length--) {
    const piece = lower.slice(i, i + length)
    if (SEQUENCES.some((row) => row.includes(piece))) return length
    // Something that stood before, or one character again and again.
    if (text.slice(0, i + length - 1).includes(text.slice(i, i + length))) return length
  }
  return 0
}

const kinds: readonly [characters: RegExp, size: number][] = [
  [/^[0-9]*$/, 10],
  [/^([0-9a-f]*|[0-9A-F]*)$/, 16],
  [/^([a-z]*|[A-Z]*)$/, 26],
  [/^([0-9a-z]*|[0-9A-Z]*)$/, 36],
  [/^[0-9A-Za-z]*$/, 62],
]

/** How many different characters a secret is made of, by the kinds of those that it has. */
const kindOf = (secret: string): number => {
  const isVaried = new Set(secret.replaceAll(/[0-9A-Za-z]/g, '')).size > MOST_SEPARATORS
  const plain = secret.replaceAll(/[^0-9A-Za-z]/g, '')
  return isVaried ? 94 : (kinds.find(([characters]) => characters.test(plain))?.[1] ?? 62)
}

/**
 * Estimates the bits of a secret. Each word, number, sequence and repetition counts 11 bits (5 if it has
 * three characters or fewer), and a separator that stood before counts 1. Each other character counts as much
 * as its kind has: 3.3 for digits, 4 for hexadecimal, 4.7 for letters of one case, 6 for all. No piece counts
 * more than its characters would. Only the first 256 characters are judged.
 */
export const bitsOf = (given: string): number => {
  const secret = given.slice(0, MOST_JUDGED)
  const each = Math.log2(kindOf(secret))
  const lower = secret.toLowerCase()
  let bits = 0
  for (let i = 0; i < secret.length; ) {
    const length = pieceAt(secret, lower, i)
    const isSeparator = /^[^0-9A-Za-z]/.test(secret[i] ?? '') && secret.slice(0, i).includes(secret[i] ?? '')
    bits +=
      length > 0
        ? Math.min(length > LEAST ? PIECE_BITS : SHORT_BITS, length * each)
        : isSeparator
          ? SEPARATOR_BITS
          : each
    i += Math.max(length, 1)
  }
  return Math.floor(bits)
}
