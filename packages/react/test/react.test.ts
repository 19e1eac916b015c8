import { fileURLToPath } from 'node:url'
import { createSession } from '@saoma/client'
import { type Documented, runComponentContract } from '@saoma/testing'
import { renderToString } from 'react-dom/server'
import { greeting } from './page.ts'

const jsx = (blocks: Documented[]): string =>
  blocks
    .filter(({ language }) => language === 'jsx')
    .map(({ code }) => code)
    .join('\n')

runComponentContract({
  heading: 'In React',
  effects: 2,
  folder: fileURLToPath(new URL('..', import.meta.url)),
  sourcesOf: (login, live) => ({
    'login.jsx': jsx(login),
    'live.jsx': jsx(live),
    'page.js': `import * as login from './login.jsx'
import * as live from './live.jsx'
import { start } from '../../test/page.ts'
start({ ...login, ...live })
`,
  }),
  greet: async (origin) => renderToString(greeting({ origin, session: createSession({ origin }) })),
})
