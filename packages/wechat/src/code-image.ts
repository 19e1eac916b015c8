/** A picture from WeChat. */
export interface CodeImage {
  bytes: Buffer
  type: 'image/jpeg' | 'image/png'
}

/** The characters that WeChat accepts in the `scene` of a code. */
const SCENE = /^[0-9A-Za-z!#$&'()*+,/:;=?@\-._~`]{1,32}$/

export const isScene = (scene: string): boolean => SCENE.test(scene)

const signatures = [
  { type: 'image/jpeg', bytes: Buffer.from('ffd8ff', 'hex') },
  { type: 'image/png', bytes: Buffer.from('89504e47', 'hex') },
] as const

/**
 * Detects the type by the first bytes, because WeChat's header says image/jpeg for a PNG, too. Undefined for
 * anything else.
 */
export const readImage = (bytes: Buffer): CodeImage | undefined => {
  const found = signatures.find((signature) => bytes.subarray(0, signature.bytes.length).equals(signature.bytes))
  return found && { bytes, type: found.type }
}
