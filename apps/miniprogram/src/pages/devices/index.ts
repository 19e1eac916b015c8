import { loginPage } from '../../config.ts'
import { currentProgram } from '../../current-program.ts'
import type { DevicesPage } from '../../logic/devices-screen.ts'
import type { Text } from '../../logic/text.ts'
import { nameTabs } from '../../tabs.ts'
import { type DevicesView, devicesView } from './view.ts'

type Data = {
  /** Null before the page is attached. */
  words: Text['words'] | null
  view: DevicesView
  /** The subject of the dialog; an empty sid means all sessions. */
  asked: { visible: boolean; sid: string; title: string; what: string }
}
type Methods = {
  draw(): void
  onPullDownRefresh(): Promise<void>
  onRetry(): void
  onEnd(event: WechatMiniprogram.BaseEvent<Record<string, never>, { sid: string }>): void
  onEndAll(): void
  onSure(): void
  onUnsure(): void
  onLogin(): void
  onActivity(): void
}
type Own = { part: DevicesPage | undefined }

Component<Data, Record<never, never>, Methods, [], Own, true>({
  data: { words: null, view: { kind: 'wait' }, asked: { visible: false, sid: '', title: '', what: '' } },
  lifetimes: {
    attached() {
      const { text, devices } = currentProgram()
      this.setData({ words: text.words })
      this.part = devices(() => this.draw())
      this.draw()
    },
    detached() {
      this.part?.close()
    },
  },
  pageLifetimes: {
    show() {
      const { text } = currentProgram()
      nameTabs(text, text.words.devices.title)
      // A login may have been added or ended while another page was in front.
      if (this.data.view.kind === 'list') void this.part?.refresh()
    },
  },
  methods: {
    draw() {
      if (this.part) this.setData({ view: devicesView(this.part.screen, currentProgram().text) })
    },
    async onPullDownRefresh() {
      await this.part?.refresh()
      wx.stopPullDownRefresh()
    },
    onRetry() {
      void this.part?.refresh()
    },
    onEnd({ currentTarget }) {
      const { sid } = currentTarget.dataset
      const device = this.data.view.kind === 'list' && this.data.view.devices.find((one) => one.sid === sid)
      if (!device) return
      const { words } = currentProgram().text
      const what = `${device.app} · ${device.where}`
      this.setData({ asked: { visible: true, sid, title: words.devices.askEnd, what } })
    },
    onEndAll() {
      this.setData({
        asked: { visible: true, sid: '', title: currentProgram().text.words.devices.askEndAll, what: '' },
      })
    },
    onSure() {
      const { sid } = this.data.asked
      this.setData({ 'asked.visible': false })
      void (sid === '' ? this.part?.endAll() : this.part?.end(sid))
    },
    onUnsure() {
      this.setData({ 'asked.visible': false })
    },
    onLogin() {
      wx.navigateTo({ url: `/${loginPage}` })
    },
    onActivity() {
      wx.navigateTo({ url: '/pages/activity/index' })
    },
  },
})
