import { devicesPage } from '../../config.ts'
import { currentProgram } from '../../current-program.ts'
import type { LoginPage } from '../../logic/login-screen.ts'
import type { ButtonAnswer } from '../../logic/phone-number.ts'
import type { Text } from '../../logic/text.ts'
import { type LoginView, loginView } from './view.ts'

type Tap = WechatMiniprogram.BaseEvent<Record<string, never>, { ticket: string }>

type Data = {
  /** Null before the page is attached. */
  words: Text['words'] | null
  view: LoginView
  typed: string
}
type Methods = {
  onLoad(query: Record<string, string | undefined>): void
  draw(): void
  tick(): void
  onTyped(event: WechatMiniprogram.CustomEvent<{ value: string }>): void
  onFind(): void
  onRequest(event: Tap): void
  onNotMe(): void
  onTell(): void
  onCheck(): void
  onNumber(event: WechatMiniprogram.CustomEvent<ButtonAnswer>): void
  onSkipNumber(): void
  onDecline(): void
  onConfirm(): void
  onAction(): void
}
type Own = {
  part: LoginPage | undefined
  ticking: ReturnType<typeof setInterval> | undefined
  /** The form for which the text was typed. */
  form: LoginView['kind'] | undefined
}

const TICK_MS = 1_000

Component<Data, Record<never, never>, Methods, [], Own, true>({
  data: { words: null, view: { kind: 'wait', title: '' }, typed: '' },
  lifetimes: {
    attached() {
      const { text, login } = currentProgram()
      wx.setNavigationBarTitle({ title: text.words.login.title })
      this.setData({ words: text.words })
      this.part = login(() => this.draw())
      this.draw()
    },
    detached() {
      clearInterval(this.ticking)
      this.part?.close()
    },
  },
  pageLifetimes: {
    show() {
      this.tick()
    },
    hide() {
      clearInterval(this.ticking)
    },
  },
  methods: {
    // A second scan while this page is open creates a new page, so every code arrives here.
    onLoad({ scene, asks }) {
      if (asks === 'number') this.part?.ask(() => void wx.navigateBack())
      else this.part?.open({ scene, launchScene: wx.getEnterOptionsSync().scene })
    },
    draw() {
      if (!this.part) return
      const view = loginView(this.part.screen, currentProgram().text, Date.now())
      const isOther = view.kind !== this.data.view.kind
      // After an error, the typed text stays.
      const isNew = view.kind !== 'wait' && view.kind !== this.form
      if (isNew) this.form = view.kind
      this.setData({ view, ...(isNew ? { typed: '' } : {}) })
      if (isOther) this.tick()
    },
    /** Shows the remaining time while a question is open and the page is in front. */
    tick() {
      clearInterval(this.ticking)
      if (this.data.view.kind === 'ask') this.ticking = setInterval(() => this.draw(), TICK_MS)
    },
    onTyped({ detail }) {
      this.setData({ typed: detail.value })
    },
    onFind() {
      this.part?.findUserCode(this.data.typed)
    },
    onRequest({ currentTarget }) {
      this.part?.openRequest(currentTarget.dataset.ticket)
    },
    onNotMe() {
      this.part?.report()
    },
    // WeChat takes the question only here, while it handles the tap.
    onTell() {
      this.part?.agree()
    },
    onCheck() {
      this.part?.giveCheck(this.data.typed)
    },
    onNumber({ detail }) {
      this.part?.giveNumber(detail)
    },
    onSkipNumber() {
      this.part?.skipNumber()
    },
    onDecline() {
      this.part?.decline()
    },
    onConfirm() {
      const { view, typed } = this.data
      if (view.kind === 'ask' && view.digits) this.part?.confirm(typed)
      else this.part?.confirm()
    },
    onAction() {
      const { view } = this.data
      if (view.kind !== 'result') return
      if (view.action === 'retry') this.part?.retry()
      else if (view.action === 'another') this.part?.open({ launchScene: wx.getEnterOptionsSync().scene })
      else wx.switchTab({ url: `/${devicesPage}` })
    },
  },
})
