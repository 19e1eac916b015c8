import type { Page } from '../core/page.ts'
import type { Wx } from './wx.ts'

/** The functions of `wx` that a page needs. */
export type PageWx = Pick<
  Wx,
  | 'onAppShow'
  | 'offAppShow'
  | 'onAppHide'
  | 'offAppHide'
  | 'onNetworkStatusChange'
  | 'offNetworkStatusChange'
  | 'getNetworkType'
>

/**
 * The mini-program as a page: hidden while it is in the background, offline while the phone has no network.
 * It listens to `wx` while it has listeners. It counts as online until WeChat says otherwise.
 *
 * @example
 * ```ts
 * import { createWxPage } from '@saoma/client/wx'
 *
 * const page = createWxPage(wx)
 * console.log(page.hidden, page.online) // -> false true
 * const stop = page.onChange(() => console.log(page.hidden, page.online))
 * stop()
 * ```
 */
export const createWxPage = (wx: PageWx): Page => {
  const listeners = new Set<() => void>()
  let hidden = false
  let online = true

  const changed = () => {
    for (const listener of [...listeners]) listener()
  }
  const setOnline = (next: boolean) => {
    if (next === online) return
    online = next
    changed()
  }
  const look = () => {
    const asked = wx.getNetworkType({ success: ({ networkType }) => setOnline(networkType !== 'none') })
    // Some frameworks return a promise. It is not needed.
    void Promise.resolve(asked).catch(() => {})
  }
  const onShow = () => {
    hidden = false
    // Sockets also react to the return, and must report their loss first.
    void Promise.resolve().then(changed)
    look() // While JavaScript was suspended, changes of the network were not reported.
  }
  const onHide = () => {
    hidden = true
    changed()
  }
  const onNetwork = ({ isConnected }: { isConnected: boolean }) => setOnline(isConnected)

  return {
    get hidden() {
      return hidden
    },
    get online() {
      return online
    },
    onChange: (listener) => {
      if (listeners.size === 0) {
        wx.onAppShow(onShow)
        wx.onAppHide(onHide)
        wx.onNetworkStatusChange(onNetwork)
        look()
      }
      listeners.add(listener)
      return () => {
        if (!listeners.delete(listener) || listeners.size > 0) return
        wx.offAppShow(onShow)
        wx.offAppHide(onHide)
        wx.offNetworkStatusChange(onNetwork)
      }
    },
  }
}
