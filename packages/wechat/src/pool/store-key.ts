/**
 * As `CodeStore` describes, without a leading dot: that would be a hidden file, a parent folder, or a partial
 * picture.
 */
const KEY = /^[A-Za-z0-9_-][A-Za-z0-9_.-]{0,63}$/

/** Name of the file with the store's id. It is not a valid picture key, so `list` omits it. */
export const MARK = '.saoma-pool'

export const isStoreKey = (key: string): boolean => KEY.test(key)

/** @throws TypeError for an invalid key */
export const checkStoreKey = (key: string): string => {
  if (!isStoreKey(key)) throw new TypeError('this is not the key of a picture')
  return key
}

/** Returns a function for the addresses under the store's public URL, if it has one. */
export const urlUnder =
  (cdn: string | undefined) =>
  (key: string): string | undefined =>
    cdn === undefined ? undefined : `${cdn.replace(/\/+$/, '')}/${checkStoreKey(key)}`
