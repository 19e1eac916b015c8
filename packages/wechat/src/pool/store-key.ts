/**
 * As `CodeStore` says, and no leading dot: that would be a hidden file, a folder above, or a picture that is
 * half written.
 */
const KEY = /^[A-Za-z0-9_-][A-Za-z0-9_.-]{0,63}$/

/** What holds the id of a store: no key of a picture, so no list shows it. */
export const MARK = '.saoma-pool'

export const isStoreKey = (key: string): boolean => KEY.test(key)

/** @throws TypeError for a key that no store takes */
export const checkStoreKey = (key: string): string => {
  if (!isStoreKey(key)) throw new TypeError('this is not the key of a picture')
  return key
}

/** Addresses under the public place of a store, if it has one. */
export const urlUnder =
  (cdn: string | undefined) =>
  (key: string): string | undefined =>
    cdn === undefined ? undefined : `${cdn.replace(/\/+$/, '')}/${checkStoreKey(key)}`
