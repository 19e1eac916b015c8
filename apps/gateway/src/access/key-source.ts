import { readFile, stat } from 'node:fs/promises'
import { readBytes, reasonOf } from '@saoma/protocol'

/** Where the business publishes its keys: an address, or a file beside the node. */
export type KeySource = { url: string } | { file: string }

/** The text of the keys, or why it could not be read, as the end of a sentence without secrets. */
export type ReadSource = { ok: true; text: string } | { ok: false; why: string }

const TIMEOUT_MS = 3_000
/** A key with its chain of certificates has 6 KB. */
const LARGEST = 256 * 1024

const words: Readonly<Record<string, string>> = {
  TimeoutError: `no whole answer came within ${TIMEOUT_MS / 1000} s`,
  AbortError: 'no whole answer came in time',
  RangeError: `it has more than ${LARGEST / 1024} KB`,
  ECONNREFUSED: 'nothing listens there (ECONNREFUSED)',
}
const whyOf = (error: unknown): string => {
  const reason = reasonOf(error)
  return words[reason] ?? `it cannot be read (${reason})`
}

const fetchText = async (url: string, signal: AbortSignal): Promise<ReadSource> => {
  const response = await fetch(url, {
    headers: { accept: 'application/jwk-set+json, application/json' },
    // The operator has named this address. Whoever could redirect it would choose who may log in.
    redirect: 'manual',
    signal,
  })
  if (response.status !== 200) {
    await response.body?.cancel()
    return { ok: false, why: `it answers with status ${response.status}` }
  }
  return { ok: true, text: new TextDecoder().decode(await readBytes(response.body ?? [], LARGEST)) }
}

const readText = async (file: string, signal: AbortSignal): Promise<ReadSource> => {
  if ((await stat(file)).size > LARGEST) throw new RangeError()
  return { ok: true, text: await readFile(file, { encoding: 'utf8', signal }) }
}

/**
 * Reads the keys once, within three seconds and up to 256 KB. Never rejects.
 *
 * @param signal  gives up earlier
 */
export const readSource = async (source: KeySource, signal: AbortSignal): Promise<ReadSource> => {
  const within = AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)])
  try {
    return await ('url' in source ? fetchText(source.url, within) : readText(source.file, within))
  } catch (error) {
    return { ok: false, why: whyOf(error) }
  }
}
