import { createSession } from '@saoma/client'
import { SaomaProvider } from '@saoma/react'
import { type ComponentType, createElement } from 'react'
import { createRoot } from 'react-dom/client'

/** Shows the component that an example exports, below a provider with the session of this browser. */
export const mount = (example: Record<string, ComponentType>, origin: string): void => {
  const app = document.querySelector('#app')
  const [component, ...others] = Object.values(example)
  if (!app || !component || others.length > 0) throw new Error('An example exports one component.')
  const session = createSession({ origin })
  createRoot(app).render(createElement(SaomaProvider, { origin, session }, createElement(component)))
}
