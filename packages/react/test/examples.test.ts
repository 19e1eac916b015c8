import { fileURLToPath } from 'node:url'
import { examplesContract, runInPage } from '@saoma/testing'

const folder = fileURLToPath(new URL('..', import.meta.url))

const examples = examplesContract({
  entries: { '@saoma/react': () => import('@saoma/react') },
  folder,
  // The methods are those of `@saoma/client`, whose examples have them.
  hasMethods: false,
})

runInPage({ folder, examples, mount: '../../test/example-page.ts' })
