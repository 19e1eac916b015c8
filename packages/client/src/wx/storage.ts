import type { KeyValue } from '../core/storage.ts'
import type { Wx } from './wx.ts'

/**
 * WeChat's storage, which survives a restart of the mini-program: up to 1 MB per key, 10 MB in all. An empty
 * text counts as absent. `setItem` throws what WeChat throws when it is full.
 *
 * @example
 * ```ts
 * import { createSession } from '@saoma/client'
 * import { createWxFetch, createWxStorage } from '@saoma/client/wx'
 *
 * const session = createSession({
 *   origin: 'https://login.example.com',
 *   fetch: createWxFetch(wx),
 *   storage: createWxStorage(wx),
 * })
 * console.log(session.claims?.name) // -> Ann
 * ```
 */
export const createWxStorage = (wx: Pick<Wx, 'getStorageSync' | 'setStorageSync' | 'removeStorageSync'>): KeyValue => ({
  getItem: (key) => {
    const value = wx.getStorageSync(key)
    return typeof value === 'string' && value !== '' ? value : null
  },
  setItem: (key, value) => wx.setStorageSync(key, value),
  removeItem: (key) => wx.removeStorageSync(key),
})
