import Router from '@koa/router'
import * as v from 'valibot'
import { readJson } from './body.ts'
import { isOnMenu, menu } from './menu.ts'
import { MOST_OF_ONE_DISH } from './order.ts'
import type { Orders } from './orders.ts'
import { Id, Name, type SignedIn } from './person.ts'
import { problem } from './problem.ts'

const Dish = v.pipe(v.string(), v.check(isOnMenu))
const Delta = v.pipe(v.number(), v.integer(), v.minValue(-MOST_OF_ONE_DISH), v.maxValue(MOST_OF_ONE_DISH))
const Note = v.pipe(v.string(), v.trim(), v.maxLength(200))
const EditBody = v.object({
  id: Id,
  /** The version of the order that the person saw. */
  based: v.pipe(v.number(), v.integer(), v.minValue(0)),
  name: Name,
  edit: v.variant('kind', [
    v.object({ kind: v.literal('quantity'), dish: Dish, delta: Delta }),
    v.object({ kind: v.literal('note'), dish: Dish, note: Note }),
    v.object({ kind: v.literal('remove'), dish: Dish }),
    v.object({ kind: v.literal('place') }),
    v.object({ kind: v.literal('begin') }),
  ]),
})

/** Ordering at a table. Everybody who is logged in may read an order, like the channel of its table. */
export const tableRoutes = (orders: Orders, signedIn: SignedIn): Router => {
  const router = new Router({ prefix: '/shop' })
  router.get('/menu', (ctx) => {
    ctx.body = { dishes: menu }
  })
  router.get('/tables/:table', signedIn, (ctx) => {
    const { table = '' } = ctx.params
    if (!isTable(table)) return problem(ctx, 'NOT_FOUND')
    ctx.body = orders.read(table)
  })
  router.post('/tables/:table/edits', signedIn, async (ctx) => {
    const { table = '' } = ctx.params
    if (!isTable(table)) return problem(ctx, 'NOT_FOUND')
    const body = await readJson(ctx, EditBody)
    if (!body) return
    const { id, based, name, edit } = body
    const outcome = orders.edit(table, { id, based, edit, author: { user: ctx.state.user, name } })
    if (outcome.kind === 'refused') return problem(ctx, outcome.code, { order: outcome.order })
    ctx.body = outcome.order
  })
  return router
}

/** This restaurant has tables 1 to 99. */
const isTable = (table: string): boolean => /^[1-9]\d?$/.test(table)
