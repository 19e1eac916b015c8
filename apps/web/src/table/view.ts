import { html, nothing, type TemplateResult } from 'lit'
import { repeat } from 'lit/directives/repeat.js'
import { fill, language } from '../language.ts'
import type { Dish, Line, Order } from './order.ts'
import type { Conflict, Table } from './table.ts'
import { dishName, money, say, sayChange, sayRefusal } from './text.ts'

const LATE_MS = 1_000

/** An unfinished note, and the version of the order that its author saw at the start. */
export interface Draft {
  dish: string
  based: number
}

export interface Draughtsman {
  readonly draft: Draft | undefined
  begin(draft: Draft): void
  end(): void
}

export const tableView = (name: string, table: Table, notes: Draughtsman): TemplateResult => {
  const { order, refusal } = table
  return html`
    <h1 tabindex="-1">${fill(say().heading, { table: name })}</h1>
    <p class="lead">${say().hint}</p>
    ${order ? slip(table, order, notes) : refusal ? nothing : html`<p class="hint">${say().loading}</p>`}
    ${refusal ? html`<p class="error refusal" role="alert">${sayRefusal(refusal)}</p>` : nothing}
  `
}

const slip = (table: Table, order: Order, notes: Draughtsman): TemplateResult => html`
  <div class="sheets">
    <section class="card" aria-labelledby="menu">
      <h2 id="menu">${say().menu}</h2>
      ${order.status === 'placed' ? html`<p class="hint" data-frozen>${say().frozen}</p>` : nothing}
      <ul class="dishes">
        ${table.menu.map((dish) => dishView(table, order, dish))}
      </ul>
    </section>
    <section class="card slip" aria-labelledby="order" data-version=${order.version}>
      <h2 id="order">${say().order}</h2>
      ${table.conflict ? conflictView(table, table.conflict) : nothing}
      ${
        order.lines.length === 0
          ? html`<p class="hint">${say().empty}</p>`
          : html`<ul class="lines">
              ${repeat(
                order.lines,
                ({ dish }) => dish,
                (line) => lineView(table, order, line, notes),
              )}
            </ul>`
      }
      <p class="total row apart"><span>${say().total}</span><strong>${money(totalOf(table))}</strong></p>
      ${order.status === 'placed' ? placedView(table) : placeView(table, order)}
      ${feedView(table)}
    </section>
  </div>
`

const dishView = (table: Table, order: Order, { id, name, price }: Dish): TemplateResult => {
  const quantity = table.quantity(id)
  const dish = name[language()]
  const frozen = order.status === 'placed'
  const step = (delta: number) => void table.edit({ kind: 'quantity', dish: id, delta })
  return html`<li class="row apart ${table.isUnsaved(id) ? 'unsaved' : ''}" data-dish=${id}>
    <span><span class="dish">${dish}</span><span class="hint">${money(price)}</span></span>
    <span class="stepper" role="group" aria-label=${dish}>
      <button type="button" ?disabled=${frozen || quantity === 0} aria-label=${fill(say().fewer, { dish })}
        @click=${() => step(-1)}>−</button>
      <output>${quantity}</output>
      <button type="button" ?disabled=${frozen} aria-label=${fill(say().more, { dish })} @click=${() => step(1)}>+</button>
    </span>
  </li>`
}

const lineView = (table: Table, order: Order, line: Line, notes: Draughtsman): TemplateResult => {
  const dish = dishName(table.menu, line.dish)
  const price = table.menu.find(({ id }) => id === line.dish)?.price ?? 0
  const quantity = table.quantity(line.dish)
  const writing = notes.draft?.dish === line.dish && order.status === 'open'
  const isUnsaved = table.isUnsaved(line.dish)
  return html`<li class=${isUnsaved ? 'unsaved' : ''} data-dish=${line.dish}>
    <p class="row apart">
      <span><strong>${dish} × ${quantity}</strong> <span class="hint theirs"
        >${isUnsaved && isLate(table) ? say().unsaved : fill(say().by, { name: line.by })}</span
      ></span>
      <span>${money(price * quantity)}</span>
    </p>
    ${line.note ? html`<p class="note theirs">${line.note}</p>` : nothing}
    ${writing ? noteForm(table, line, notes) : order.status === 'open' ? lineActions(table, order, line, notes) : nothing}
  </li>`
}

const lineActions = (table: Table, order: Order, line: Line, notes: Draughtsman): TemplateResult => {
  const dish = dishName(table.menu, line.dish)
  return html`<p class="row">
    <button class="plain" type="button" aria-label=${fill(say().noteFor, { dish })}
      @click=${() => notes.begin({ dish: line.dish, based: order.version })}>
      ${line.note ? say().editNote : say().addNote}
    </button>
    <button class="plain" type="button" aria-label=${fill(say().removeDish, { dish })}
      @click=${() => void table.edit({ kind: 'remove', dish: line.dish })}>${say().remove}</button>
  </p>`
}

const noteForm = (table: Table, line: Line, notes: Draughtsman): TemplateResult => html`
  <form
    class="row"
    @submit=${(event: SubmitEvent) => {
      event.preventDefault()
      const note = String(new FormData(event.target as HTMLFormElement).get('note') ?? '').trim()
      const { draft } = notes
      notes.end()
      if (draft) void table.edit({ kind: 'note', dish: line.dish, note }, draft.based)
    }}
  >
    <label class="unseen" for="note">${fill(say().noteFor, { dish: dishName(table.menu, line.dish) })}</label>
    <input id="note" name="note" maxlength="200" autocomplete="off" .defaultValue=${line.note} />
    <button class="button small" type="submit">${say().save}</button>
    <button class="button small quiet" type="button" @click=${notes.end}>${say().cancel}</button>
  </form>
`

const conflictView = (table: Table, { dish, mine, theirs }: Conflict): TemplateResult => html`
  <section class="conflict" role="alert">
    <h3 id="conflict" tabindex="-1">${fill(say().conflict, { dish: dishName(table.menu, dish) })}</h3>
    <p class="hint">${say().conflictHint}</p>
    <dl class="facts">
      <dt>${say().theirs}</dt><dd class="theirs">${theirs || say().nothing}</dd>
      <dt>${say().mine}</dt><dd class="theirs">${mine || say().nothing}</dd>
    </dl>
    <div class="row">
      <button class="button small" type="button" @click=${() => table.resolve(true)}>${say().keepMine}</button>
      <button class="button small quiet" type="button" @click=${() => table.resolve(false)}>${say().keepTheirs}</button>
    </div>
  </section>
`

const placeView = (table: Table, order: Order): TemplateResult => html`
  <button class="button wide" type="button" ?disabled=${order.lines.length === 0}
    @click=${() => void table.edit({ kind: 'place' })}>${say().place}</button>
`

const placedView = (table: Table): TemplateResult => html`
  <p class="placed" role="status">✓ ${say().placed}</p>
  <button class="button quiet wide" type="button" @click=${() => void table.edit({ kind: 'begin' })}>${say().again}</button>
`

const feedView = (table: Table): TemplateResult => html`
  <div class="feed">
    <h3 class=${table.feed.length === 0 ? 'unseen' : ''}>${say().happened}</h3>
    <ul aria-live="polite">
      ${table.feed.map((change) => html`<li class="theirs">${sayChange(change, (dish) => dishName(table.menu, dish))}</li>`)}
    </ul>
  </div>
`

/** A status for every click would only flicker. */
const isLate = (table: Table): boolean =>
  performance.now() - (table.waitingSince() ?? Number.POSITIVE_INFINITY) > LATE_MS

const totalOf = (table: Table): number => table.menu.reduce((sum, { id, price }) => sum + price * table.quantity(id), 0)
