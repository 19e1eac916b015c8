import { currentProgram } from '../../current-program.ts'
import type { MessagesPage } from '../../logic/messages-screen.ts'
import type { Text } from '../../logic/text.ts'
import { countTab, nameTabs } from '../../tabs.ts'
import { type MessagesView, messagesView } from './view.ts'

type Data = {
  /** Null before the page is attached. */
  words: Text['words'] | null
  view: MessagesView
}
type Methods = {
  draw(): void
  onRead(event: WechatMiniprogram.BaseEvent<Record<string, never>, { offset: number }>): void
  onReadAll(): void
  onReconnect(): void
}
type Own = { part: MessagesPage | undefined }

Component<Data, Record<never, never>, Methods, [], Own, true>({
  data: { words: null, view: { kind: 'wait', unread: 0, connection: '' } },
  lifetimes: {
    attached() {
      const { text, messages } = currentProgram()
      this.setData({ words: text.words })
      this.part = messages(() => this.draw())
      this.draw()
    },
    detached() {
      this.part?.close()
    },
  },
  pageLifetimes: {
    show() {
      const { text } = currentProgram()
      nameTabs(text, text.words.messages.title)
      countTab('messages', this.data.view.unread)
    },
  },
  methods: {
    draw() {
      if (!this.part) return
      const view = messagesView(this.part.screen, currentProgram().text, Date.now())
      if (view.unread !== this.data.view.unread) countTab('messages', view.unread)
      this.setData({ view })
    },
    onRead({ currentTarget }) {
      void this.part?.markRead(currentTarget.dataset.offset)
    },
    onReadAll() {
      void this.part?.markRead()
    },
    onReconnect() {
      this.part?.reconnect()
    },
  },
})
