import { currentProgram } from '../../current-program.ts'
import type { ActivityPart } from '../../logic/activity-screen.ts'
import type { Text } from '../../logic/text.ts'
import { type ActivityView, activityView } from './view.ts'

type Data = {
  /** Null before the page is attached. */
  words: Text['words'] | null
  view: ActivityView
}
type Methods = {
  draw(): void
  onPullDownRefresh(): Promise<void>
  onRetry(): void
  onMore(): void
}
type Own = { part: ActivityPart | undefined }

Component<Data, Record<never, never>, Methods, [], Own, true>({
  data: { words: null, view: { kind: 'wait' } },
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
  },
})
