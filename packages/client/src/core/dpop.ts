/*
 * The key of a browser, and its proofs (RFC 9449). Loaded only where tokens are bound or a browser is
 * remembered: see proof.ts and known.ts. It imports nothing: what it shared with the rest would become one
 * more file that every page has to load.
 */

const DATABASE = 'saoma'
const STORE = 'keys'
/** A browser that keeps no keys may never answer. */
const TIMEOUT_MS = 5_000
const JTI_BYTES = 16

const answered = <T>(asked: IDBRequest<T>): Promise<T> =>
  new Promise((resolve, reject) => {
    asked.onsuccess = () => resolve(asked.result)
    asked.onerror = () => reject(asked.error)
  })

const openDatabase = (): Promise<IDBDatabase> => {
  const opening = indexedDB.open(DATABASE, 1)
  opening.onupgradeneeded = () => opening.result.createObjectStore(STORE)
  return answered(opening)
}

/**
 * The key of this name. It is made once for all tabs, and no script can read its private half: a script that
 * is put into the page can use it there, and cannot take it away.
 */
const findKey = async (name: string): Promise<CryptoKeyPair> => {
  const database = await openDatabase()
  try {
    const known = await answered<CryptoKeyPair | undefined>(database.transaction(STORE).objectStore(STORE).get(name))
    if (known) return known
    const made = await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign', 'verify'])
    const store = database.transaction(STORE, 'readwrite').objectStore(STORE)
    // Another tab may have been faster.
    const other = await answered<CryptoKeyPair | undefined>(store.get(name))
    if (other) return other
    await answered(store.put(made, name))
    return made
  } finally {
    database.close()
  }
}

const keys = new Map<string, Promise<CryptoKeyPair>>()

/** Rejects where the browser keeps no keys: without TLS, in some private windows, and in old browsers. */
const keyOf = (name: string): Promise<CryptoKeyPair> => {
  let key = keys.get(name)
  if (!key) {
    const late = new Promise<never>((_, reject) => setTimeout(() => reject(new Error('no key in time')), TIMEOUT_MS))
    key = Promise.race([findKey(name), late])
    key.catch(() => keys.delete(name))
    keys.set(name, key)
  }
  return key
}

/** Drops the key of this name. The next use of the name makes another one. Rejects like `keyOf`. */
export const forgetKey = async (name: string): Promise<void> => {
  keys.delete(name)
  const database = await openDatabase()
  try {
    await answered(database.transaction(STORE, 'readwrite').objectStore(STORE).delete(name))
  } finally {
    database.close()
  }
}

const base64url = (bytes: Uint8Array): string =>
  btoa(String.fromCharCode(...bytes))
    .replace(/\+/g, '-')
    .replace(/\//g, '_')
    .replace(/=/g, '')
const utf8 = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text)
const part = (value: object): string => base64url(utf8(JSON.stringify(value)))

/** A request that is to be proven. */
export interface Proven {
  method: string
  /** Its address. The query does not count. */
  url: string
  /** The access token that it has, if any. */
  token?: string
}

/** A proof of the key of this name, for one request. Rejects like `keyOf`. */
export const prove = async (name: string, { method, url, token }: Proven): Promise<string> => {
  const { publicKey, privateKey } = await keyOf(name)
  const { kty, crv, x, y } = await crypto.subtle.exportKey('jwk', publicKey)
  const ath = token && base64url(new Uint8Array(await crypto.subtle.digest('SHA-256', utf8(token))))
  const claims = {
    jti: base64url(crypto.getRandomValues(new Uint8Array(JTI_BYTES))),
    htm: method,
    htu: url.replace(/[?#].*$/, ''),
    iat: Math.floor(Date.now() / 1_000),
    ...(ath ? { ath } : {}),
  }
  const text = `${part({ typ: 'dpop+jwt', alg: 'ES256', jwk: { kty, crv, x, y } })}.${part(claims)}`
  const signature = await crypto.subtle.sign({ name: 'ECDSA', hash: 'SHA-256' }, privateKey, utf8(text))
  return `${text}.${base64url(new Uint8Array(signature))}`
}
