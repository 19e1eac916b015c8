import { loginPage } from '../../config.ts'
import { currentProgram } from '../../current-program.ts'
import type { DevicesPage } from '../../logic/devices-screen.ts'
import type { Text } from '../../logic/text.ts'
import { nameTabs } from '../../tabs.ts'
import { type DevicesView, devicesView } from './view.ts'

interface Asked {
  visible: boolean
  kind: 'end' | 'report'
  sid: string
  title: string
  what: string
  hint: string
  /** What the button says that does it. */
  act: string
}
const NOTHING: Asked = { visible: false, kind: 'end', sid: '', title: '', what: '', hint: '', act: '' }

type Tap = WechatMiniprogram.BaseEvent<Record<string, never>, { sid: string }>

type Data = {
  /** Null before the page is attached. */
  words: Text['words'] | null
  view: DevicesView
  /** The subject of the dialog; an empty sid means all sessions. */
  asked: Asked
}
type Methods = {
  draw(): void
  onPullDownRefresh(): Promise<void>
  onRetry(): void
  ask(kind: Asked['kind'], sid: string): void
  onEnd(event: Tap): void
  onNotMe(event: Tap): void
  onEndAll(): void
  onSure(): void
  onUnsure(): void
  onLogin(): void
  onActivity(): void
}
type Own = { part: DevicesPage | undefined }

Component<Data, Record<never, never>, Methods, [], Own, true>({
  data: { words: null, view: { kind: 'wait' }, asked: NOTHING },
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
    ask(kind, sid) {
      const device = this.data.view.kind === 'list' && this.data.view.devices.find((one) => one.sid === sid)
      if (!device) return
      const { devices } = currentProgram().text.words
      const how =
        kind === 'end'
          ? { title: devices.askEnd, hint: devices.askHint, act: devices.end }
          : { title: devices.askNotMe, hint: devices.askNotMeHint, act: devices.notMe }
      this.setData({ asked: { visible: true, kind, sid, what: `${device.app} · ${device.where}`, ...how } })
    },
    onEnd({ currentTarget }) {
      this.ask('end', currentTarget.dataset.sid)
    },
    onNotMe({ currentTarget }) {
      this.ask('report', currentTarget.dataset.sid)
    },
    onEndAll() {
      const { askEndAll: title, askHint: hint, end: act } = currentProgram().text.words.devices
      this.setData({ asked: { ...NOTHING, visible: true, title, hint, act } })
    },
    onSure() {
      const { kind, sid } = this.data.asked
      this.setData({ 'asked.visible': false })
      void (sid === '' ? this.part?.endAll() : kind === 'end' ? this.part?.end(sid) : this.part?.report(sid))
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
