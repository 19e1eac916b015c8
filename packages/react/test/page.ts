import type { Session } from '@saoma/client'
import { SaomaLogin, SaomaProvider, useChannel, usePresence, useSession } from '@saoma/react'
import type { Plan, PlanPage } from '@saoma/testing'
import { type ComponentType, createElement, type ReactElement, type ReactNode, StrictMode, useEffect } from 'react'
import { createRoot, hydrateRoot } from 'react-dom/client'

/** What docs/login.md and docs/live.md export. */
export interface DocumentedParts {
  origin: string
  session: Session
  Saoma: ComponentType<{ children: ReactNode }>
  Account: ComponentType
  Table: ComponentType<{ name: string }>
  Bell: ComponentType<{ onNews: (news: unknown) => void }>
}

const GREETING = 'room:open-greeting'

/** Every hook, and the login, for a server and for the browser that hydrates what it rendered. */
const Greeting = () => {
  const { status, person } = useSession()
  const { state, messages } = useChannel(GREETING)
  const { count } = usePresence(GREETING)
  const text = `${status} ${person?.name ?? 'nobody'} ${state} ${count} ${messages.length}`
  return createElement('div', null, createElement('p', null, text), createElement(SaomaLogin))
}

/** Counts how often effects run. */
const Probe = ({ onEffect }: { onEffect: () => void }) => {
  useEffect(onEffect, [onEffect])
  return null
}

export const greeting = ({ origin, session }: Pick<DocumentedParts, 'origin' | 'session'>): ReactElement =>
  createElement(SaomaProvider, { origin, session }, createElement(Greeting))

export const start = ({ Saoma, Account, Table, Bell, ...saoma }: DocumentedParts): void => {
  const app = document.querySelector('#app')
  if (!app) throw new Error('The page has no #app.')
  if (app.hasChildNodes()) {
    hydrateRoot(app, createElement(StrictMode, null, greeting(saoma)))
    return
  }

  const root = createRoot(app)
  const given: PlanPage = {
    effects: 0,
    news: [],
    told: [],
    show: ({ account, tables = [], bell, login }: Plan) =>
      root.render(
        createElement(
          StrictMode,
          null,
          createElement(
            Saoma,
            null,
            createElement(Probe, { onEffect }),
            account ? createElement(Account) : null,
            tables.map((name, place) => createElement(Table, { name, key: place })),
            bell ? createElement(Bell, { onNews: (news) => page.news.push(news) }) : null,
            login
              ? createElement(SaomaLogin, {
                  onLogin: () => page.told.push('login'),
                  onFailure: ({ code }) => page.told.push(`failure ${code}`),
                })
              : null,
          ),
        ),
      ),
  }
  const page = Object.assign(globalThis, given)
  const onEffect = () => {
    page.effects++
  }
}
