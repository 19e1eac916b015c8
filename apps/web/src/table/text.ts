import { fill, type Language, language } from '../language.ts'
import type { Change, Dish } from './order.ts'

const text = {
  en: {
    heading: 'Table {table}',
    hint: 'Everybody who opens this page orders on the same slip. Open it on a second phone and watch.',
    menu: 'Menu',
    order: 'Our order',
    empty: 'Nothing ordered yet.',
    loading: 'One moment…',
    more: 'One more: {dish}',
    fewer: 'One fewer: {dish}',
    remove: 'Remove',
    removeDish: 'Remove {dish}',
    note: 'Note',
    noteFor: 'Note for {dish}',
    addNote: 'Add a note',
    editNote: 'Change the note',
    save: 'Save',
    cancel: 'Cancel',
    by: 'from {name}',
    unsaved: 'not saved yet',
    total: 'Total',
    place: 'Send to the kitchen',
    frozen: 'The kitchen has this order: nothing can be added. A new one is begun below.',
    placed: 'Sent to the kitchen. The order can no longer be changed.',
    again: 'Start a new order',
    conflict: 'Somebody else changed the note for {dish}',
    conflictHint: 'Which one should the kitchen read?',
    theirs: 'Theirs',
    mine: 'Yours',
    keepTheirs: 'Keep theirs',
    keepMine: 'Use mine',
    nothing: '(no note)',
    happened: 'What happened at this table',
    changes: {
      line: '{name}: {dish} × {quantity}',
      noted: '{name}: {dish} × {quantity}, “{note}”',
      gone: '{name} removed {dish}',
      place: '{name} sent the order to the kitchen',
      begin: '{name} started a new order',
    },
    refusals: {
      CONFLICT: 'The order has changed in the meantime. Look at it once more.',
      PLACED: 'Too late: the order has been sent to the kitchen.',
      FULL: 'No table gets more than 99 of one dish.',
      NOT_FOUND: 'There is no such table.',
      UNAUTHORIZED: 'Please sign in again.',
      other: 'The shop does not answer right now. Please try again.',
    } as Record<string, string>,
  },
  zh: {
    heading: '{table} 号桌',
    hint: '打开此页面的人共用一张点菜单。用另一部手机打开试试。',
    menu: '菜单',
    order: '我们的订单',
    empty: '还没有点菜。',
    loading: '请稍候…',
    more: '加一份{dish}',
    fewer: '减一份{dish}',
    remove: '删除',
    removeDish: '删除{dish}',
    note: '备注',
    noteFor: '{dish}的备注',
    addNote: '添加备注',
    editNote: '修改备注',
    save: '保存',
    cancel: '取消',
    by: '{name} 点的',
    unsaved: '尚未保存',
    total: '合计',
    place: '提交到厨房',
    frozen: '订单已在厨房，不能再加菜；可在下方开始新订单。',
    placed: '已提交到厨房，订单不能再修改。',
    again: '开始新订单',
    conflict: '有人修改了{dish}的备注',
    conflictHint: '厨房应以哪一条为准？',
    theirs: '对方的',
    mine: '你的',
    keepTheirs: '保留对方的',
    keepMine: '使用我的',
    nothing: '（无备注）',
    happened: '本桌动态',
    changes: {
      line: '{name}：{dish} × {quantity}',
      noted: '{name}：{dish} × {quantity}，“{note}”',
      gone: '{name} 删除了{dish}',
      place: '{name} 提交了订单',
      begin: '{name} 开始了新订单',
    },
    refusals: {
      CONFLICT: '订单刚刚有变动，请再确认一次。',
      PLACED: '来不及了：订单已提交到厨房。',
      FULL: '同一道菜最多 99 份。',
      NOT_FOUND: '没有这张桌子。',
      UNAUTHORIZED: '请重新登录。',
      other: '商家暂时没有应答，请重试。',
    } as Record<string, string>,
  },
} as const satisfies Record<Language, unknown>

export const say = (): (typeof text)[Language] => text[language()]

export const sayRefusal = (code: string): string => say().refusals[code] ?? say().refusals.other ?? code

export const money = (fen: number): string => `¥${(fen / 100).toFixed(2)}`

export const sayChange = (change: Change, nameOf: (dish: string) => string): string => {
  const { changes } = say()
  const { name } = change.author
  if (change.kind !== 'line') return fill(changes[change.kind], { name })
  const dish = nameOf(change.dish)
  if (!change.line) return fill(changes.gone, { name, dish })
  const { quantity, note } = change.line
  return fill(note ? changes.noted : changes.line, { name, dish, quantity, note })
}

export const dishName = (menu: readonly Dish[], id: string): string =>
  menu.find((dish) => dish.id === id)?.name[language()] ?? id
