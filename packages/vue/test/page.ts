import type { Failure, Session } from '@saoma/client'
import type { Plan, PlanPage } from '@saoma/testing'
import { createSaoma, SaomaLogin, useChannel, usePresence, useSession } from '@saoma/vue'
import {
  type App,
  type Component,
  createApp,
  createSSRApp,
  defineComponent,
  h,
  onMounted,
  type Plugin,
  shallowRef,
} from 'vue'

/** What docs/login.md and docs/live.md export. */
export interface DocumentedParts {
  origin: string
  session: Session
  saoma: Plugin
  Account: Component
  Table: Component
  Bell: Component
}

const GREETING = 'room:open-greeting'

/** Every hook, and the login, for a server and for the browser that hydrates what it rendered. */
const Greeting = defineComponent(() => {
  const { status, person } = useSession()
  const { state, messages } = useChannel(GREETING)
  const { count } = usePresence(GREETING)
  const text = () =>
    `${status.value} ${person.value?.name ?? 'nobody'} ${state.value} ${count.value} ${messages.value.length}`
  return () => h('div', [h('p', text()), h(SaomaLogin)])
})

export const greeting = ({ origin, session }: Pick<DocumentedParts, 'origin' | 'session'>): App =>
  createSSRApp(Greeting).use(createSaoma({ origin, session }))

export const start = ({ saoma, Account, Table, Bell, origin, session }: DocumentedParts): void => {
  const app = document.querySelector('#app')
  if (!app) throw new Error('The page has no #app.')
  if (app.hasChildNodes()) {
    greeting({ origin, session }).mount(app)
    return
  }

  const plan = shallowRef<Plan>({})
  const given: PlanPage = {
    effects: 0,
    news: [],
    told: [],
    show: (next) => {
      plan.value = next
    },
  }
  const page = Object.assign(globalThis, given)

  const Probe = defineComponent(() => {
    onMounted(() => {
      page.effects++
    })
    return () => null
  })

  const Root = defineComponent(() => () => {
    const { account, tables = [], bell, login } = plan.value
    return [
      h(Probe),
      account ? h(Account) : null,
      tables.map((name, place) => h(Table, { name, key: place })),
      bell ? h(Bell, { onNews: (news: unknown) => page.news.push(news) }) : null,
      login
        ? h(SaomaLogin, {
            onLogin: () => void page.told.push('login'),
            onFailure: ({ code }: Failure) => void page.told.push(`failure ${code}`),
          })
        : null,
    ]
  })
  createApp(Root).use(saoma).mount(app)
}
