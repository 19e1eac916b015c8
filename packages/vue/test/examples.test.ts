import { fileURLToPath } from 'node:url'
import { type Example, examplesContract, runInPage } from '@saoma/testing'
import { compileScript, parse } from 'vue/compiler-sfc'

const folder = fileURLToPath(new URL('..', import.meta.url))

/** A single-file component as the TypeScript that Vue's compiler makes of it, template included. */
const moduleOf = ({ title, language }: Example, code: string): { name: string; text: string } => {
  if (language !== 'vue') return { name: `${title}.${language}`, text: code }
  const { descriptor, errors } = parse(code, { filename: `${title}.vue` })
  if (errors[0]) throw errors[0]
  return { name: `${title}.ts`, text: compileScript(descriptor, { id: title, inlineTemplate: true }).content }
}

const examples = examplesContract({
  entries: { '@saoma/vue': () => import('@saoma/vue') },
  folder,
  moduleOf,
  // The methods are those of `@saoma/client`, whose examples have them.
  hasMethods: false,
})

runInPage({
  folder,
  examples,
  moduleOf,
  mount: '../../test/example-page.ts',
  // Vue's own flags, which its builds ask for.
  define: {
    __VUE_OPTIONS_API__: 'true',
    __VUE_PROD_DEVTOOLS__: 'false',
    __VUE_PROD_HYDRATION_MISMATCH_DETAILS__: 'false',
  },
})
