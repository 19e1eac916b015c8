import type { Page } from '../core/page.ts'
import type { Wx } from './wx.ts'

/** What a page needs of `wx`. */
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
 * It listens to `wx` as long as anybody listens to it. Taken to be online until WeChat has said otherwise.
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
    // A framework's promise, that is nobody's to wait for.
    void Promise.resolve(asked).catch(() => {})
  }
  const onShow = () => {
    hidden = false
    // Sockets hear of the return as well, and those that died of it must have said so before anybody looks at
    // them.
    void Promise.resolve().then(changed)
    look() // Nobody is told of what happened to the network while JavaScript was suspended.
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
