import { showDemo } from '../demo/demo.ts'
import { createTable } from './table.ts'
import { type Draft, tableView } from './view.ts'

const asked = new URLSearchParams(location.search).get('table') ?? ''
const name = /^[1-9]\d?$/.test(asked) ? asked : '7'
// Keeps the table in the address, so that a shared address opens the same table.
if (asked !== name) history.replaceState(null, '', `?table=${name}`)

showDemo('table', (surroundings) => {
  let asking = false
  const update = () => {
    surroundings.update()
    const conflict = table.conflict !== undefined
    // On a phone the question may appear outside of the view of the person who must answer it.
    if (conflict && !asking) document.querySelector<HTMLElement>('#conflict')?.focus()
    asking = conflict
  }
  const table = createTable(name, { ...surroundings, update })
  let draft: Draft | undefined
  const write = (next: Draft | undefined) => {
    draft = next
    update()
    if (next) document.querySelector<HTMLElement>('#note')?.focus()
  }
  const notes = {
    get draft() {
      return draft
    },
    begin: write,
    end: () => write(undefined),
  }
  return { view: () => tableView(name, table, notes), waitingSince: table.waitingSince, close: table.close }
})
