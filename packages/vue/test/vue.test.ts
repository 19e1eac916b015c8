import { fileURLToPath } from 'node:url'
import { createSession } from '@saoma/client'
import { type Documented, runComponentContract } from '@saoma/testing'
import { compileScript, parse } from 'vue/compiler-sfc'
import { renderToString } from 'vue/server-renderer'
import { greeting } from './page.ts'

const codeIn = (blocks: Documented[], language: string): string[] =>
  blocks.filter((block) => block.language === language).map(({ code }) => code)

/** A single-file component as a module that exports it by this name. */
const compile = (name: string, source: string | undefined): string => {
  const { descriptor, errors } = parse(source ?? '', { filename: `${name}.vue` })
  if (errors[0]) throw errors[0]
  const { content } = compileScript(descriptor, { id: name, inlineTemplate: true, genDefaultAs: name })
  return `${content}\nexport { ${name} }\n`
}

runComponentContract({
  heading: 'In Vue',
  effects: 1,
  folder: fileURLToPath(new URL('..', import.meta.url)),
  // Vue's own flags, which its builds ask for.
  define: {
    __VUE_OPTIONS_API__: 'true',
    __VUE_PROD_DEVTOOLS__: 'false',
    __VUE_PROD_HYDRATION_MISMATCH_DETAILS__: 'false',
  },
  sourcesOf: (login, live) => {
    const [account] = codeIn(login, 'vue')
    const [table, bell] = codeIn(live, 'vue')
    return {
      'saoma.js': codeIn(login, 'js').join('\n'),
      'account.js': compile('Account', account),
      'table.js': compile('Table', table),
      'bell.js': compile('Bell', bell),
      'page.js': `import * as saoma from './saoma.js'
import { Account } from './account.js'
import { Table } from './table.js'
import { Bell } from './bell.js'
import { start } from '../../test/page.ts'
start({ ...saoma, Account, Table, Bell })
`,
    }
  },
  greet: (origin) => renderToString(greeting({ origin, session: createSession({ origin }) })),
})
