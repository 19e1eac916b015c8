import { currentProgram } from '../../current-program.ts'
import type { ActivityPart } from '../../logic/activity-screen.ts'
import type { Text } from '../../logic/text.ts'
import { type ActivityView, activityView } from './view.ts'

type Data = {
  /** Null before the page is attached. */
  words: Text['words'] | null
  view: ActivityView
  /** The login that the dialog asks about. */
  asked: { visible: boolean; sid: string; what: string }
}
type Methods = {
  draw(): void
  onPullDownRefresh(): Promise<void>
  onRetry(): void
  onMore(): void
  onNotMe(event: WechatMiniprogram.BaseEvent<Record<string, never>, { sid: string; what: string }>): void
  onSure(): void
  onUnsure(): void
}
type Own = { part: ActivityPart | undefined }

Component<Data, Record<never, never>, Methods, [], Own, true>({
  data: { words: null, view: { kind: 'wait' }, asked: { visible: false, sid: '', what: '' } },
  lifetimes: {
    attached() {
      const { text, activity } = currentProgram()
      wx.setNavigationBarTitle({ title: text.words.activity.title })
      this.setData({ words: text.words })
      this.part = activity(() => this.draw())
      this.draw()
    },
    detached() {
      this.part?.close()
    },
  },
  methods: {
    draw() {
      if (this.part) this.setData({ view: activityView(this.part.screen, currentProgram().text, Date.now()) })
    },
    async onPullDownRefresh() {
      await this.part?.refresh()
      wx.stopPullDownRefresh()
    },
    onRetry() {
      void this.part?.refresh()
    },
    onMore() {
      void this.part?.readMore()
    },
    onNotMe({ currentTarget }) {
      const { sid, what } = currentTarget.dataset
      this.setData({ asked: { visible: true, sid, what } })
    },
    onSure() {
      const { sid } = this.data.asked
      this.setData({ 'asked.visible': false })
      void this.part?.report(sid)
    },
    onUnsure() {
      this.setData({ 'asked.visible': false })
    },
  },
})
