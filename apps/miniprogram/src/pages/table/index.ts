import { currentProgram } from '../../current-program.ts'
import type { TablePage } from '../../logic/table-screen.ts'
import type { Text } from '../../logic/text.ts'
import { nameTabs } from '../../tabs.ts'
import { type TableView, tableView } from './view.ts'

type Data = {
  /** Null before the page is attached. */
  words: Text['words'] | null
  title: string
  view: TableView
  /** The note that the person is writing. */
  draft: { visible: boolean; dish: string; note: string }
}
type OnDish<Detail extends object = Record<string, never>> = WechatMiniprogram.CustomEvent<
  Detail,
  Record<string, never>,
  { dish: string }
>
type Methods = {
  onLoad(query: { scene?: string; table?: string }): void
  draw(): void
  onQuantity(event: OnDish<{ value: number }>): void
  onRemove(event: OnDish): void
  onNote(event: OnDish): void
  onTyped(event: WechatMiniprogram.CustomEvent<{ value: string }>): void
  onSave(): void
  onCancel(): void
  onPlace(): void
  onBegin(): void
  onKeepMine(): void
  onKeepTheirs(): void
  onRetry(): void
}
type Own = { part: TablePage | undefined }

/** The table of a person who has scanned none. */
const FIRST_TABLE = '1'

const tableOf = (scanned: string | undefined): string =>
  /^[1-9]\d?$/.test(scanned ?? '') ? (scanned ?? '') : FIRST_TABLE

Component<Data, Record<never, never>, Methods, [], Own, true>({
  data: {
    words: null,
    title: '',
    view: { kind: 'wait' },
    draft: { visible: false, dish: '', note: '' },
  },
  lifetimes: {
    detached() {
      this.part?.close()
    },
  },
  pageLifetimes: {
    show() {
      nameTabs(currentProgram().text, this.data.title)
    },
  },
  methods: {
    onLoad({ scene, table }) {
      const { text, table: sitAt } = currentProgram()
      const name = tableOf(table ?? scene)
      this.setData({ words: text.words, title: text.fill(text.words.table.title, { table: name }) })
      this.part = sitAt(name, () => this.draw())
      this.draw()
    },
    draw() {
      if (this.part) this.setData({ view: tableView(this.part.screen, currentProgram().text) })
    },
    onQuantity({ detail, currentTarget }) {
      const { dish } = currentTarget.dataset
      const shown = this.data.view.kind === 'slip' && this.data.view.menu.find(({ id }) => id === dish)
      if (!shown || detail.value === shown.quantity) return
      void this.part?.edit({ kind: 'quantity', dish, delta: detail.value - shown.quantity })
    },
    onRemove({ currentTarget }) {
      void this.part?.edit({ kind: 'remove', dish: currentTarget.dataset.dish })
    },
    onNote({ currentTarget }) {
      const { dish } = currentTarget.dataset
      const line = this.data.view.kind === 'slip' && this.data.view.lines.find((one) => one.dish === dish)
      if (line) this.setData({ draft: { visible: true, dish, note: line.note } })
    },
    onTyped({ detail }) {
      this.setData({ 'draft.note': detail.value })
    },
    onSave() {
      const { dish, note } = this.data.draft
      this.setData({ 'draft.visible': false })
      void this.part?.edit({ kind: 'note', dish, note: note.trim() })
    },
    onCancel() {
      this.setData({ 'draft.visible': false })
    },
    onPlace() {
      void this.part?.edit({ kind: 'place' })
    },
    onBegin() {
      void this.part?.edit({ kind: 'begin' })
    },
    onKeepMine() {
      void this.part?.resolve(true)
    },
    onKeepTheirs() {
      void this.part?.resolve(false)
    },
    onRetry() {
      this.part?.retry()
    },
  },
})
