import { type ReadKeySet, readKeySet, type SignatureAlgorithm } from '../access/key-set.ts'
import { type KeySource, readSource } from '../access/key-source.ts'
import { reachOf } from './settings.ts'

/** Reads keys once, as a node does. */
export const readKeys = async (
  source: KeySource,
  algorithms: readonly SignatureAlgorithm[],
  signal: AbortSignal,
): Promise<ReadKeySet> => {
  const read = await readSource(source, signal)
  return read.ok ? readKeySet(read.text, algorithms) : read
}

/** Whether keys come by http through the internet, where everybody on the way can put in one. */
export const isOpen = (source: KeySource): boolean => {
  const { protocol = '', hostname = '' } = ('url' in source && URL.parse(source.url)) || {}
  return protocol === 'http:' && reachOf(hostname) === 'everybody'
}
