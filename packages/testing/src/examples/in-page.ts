import { launchBrowser } from '../browser.ts'
import { type BundleOptions, bundle } from '../bundle.ts'
import { type ComponentPages, createComponentPages } from '../component-page.ts'
import { type HostedPage, startHost } from '../host.ts'
import { storageWith, storedLogin } from '../stored-login.ts'
import { type Example, PRINT, runnable } from './example.ts'
import { type ExampleCluster, PERSON, startExampleCluster } from './phone.ts'
import { createTranscript } from './transcript.ts'

export interface PageExamples extends Pick<BundleOptions, 'folder' | 'define'> {
  examples: readonly Example[]
  /**
   * Name and text of the module that an example is.
   * @default its code as it is
   */
  moduleOf?: (example: Example, code: string) => { name: string; text: string }
  /**
   * A module that exports `mount(module, origin)`, which shows what an example exports. Its path is relative
   * to a folder below `dist`.
   */
  mount?: string
}

export const asModule = ({ title, language }: Example, text: string): { name: string; text: string } => ({
  name: `${title}.${language}`,
  text,
})

const START_TIMEOUT_MS = 90_000

const PAGE =
  '<!doctype html><html lang="en"><head><link rel="icon" href="data:,"></head>' +
  '<body><div id="app"></div><script type="module" src="/page.js"></script></body></html>'

/** The page's own script: it loads one example at a time. */
const pageOf = (modules: readonly { title: string; name: string }[], origin: string, mount?: string): string => {
  const loads = modules.map(({ title, name }) => `  '${title}': () => import('./${name}'),`)
  return `${mount ? `import { mount } from '${mount}'` : 'const mount = () => {}'}
const examples = {
${loads.join('\n')}
}
globalThis.run = async (title) => void (await mount(await examples[title](), '${origin}'))
`
}

/**
 * Tests that run each example in a browser, on a page of its own, whose origin is not Saoma's. Ann is logged
 * in there. A phone scans and confirms each code that an example shows. Between two texts that an example
 * says it shows, the button of the page is pressed.
 */
export const runInPage = ({ examples, moduleOf = asModule, mount, ...built }: PageExamples): void => {
  const transcript = createTranscript()
  const hosted = new Map<string, HostedPage>([['/', { body: PAGE }]])
  let host: string
  let cluster: ExampleCluster
  let pages: ComponentPages

  beforeAll(async () => {
    host = await startHost(hosted)
    cluster = await startExampleCluster({ env: { SAOMA_ALLOWED_ORIGINS: host } })
    const modules = examples.map((example) => ({
      title: example.title,
      ...moduleOf(example, runnable(example, cluster.origin)),
    }))
    const files = await bundle({
      ...built,
      sources: {
        ...Object.fromEntries(modules.map(({ name, text }) => [name, text])),
        // Otherwise they would be files of the package, whose files have no effects, and be left out.
        'package.json': '{"type":"module"}',
        'page.js': pageOf(modules, cluster.origin, mount),
      },
    })
    for (const [path, body] of files) hosted.set(`/${path}`, { body, headers: { 'content-type': 'text/javascript' } })
    pages = createComponentPages(await launchBrowser())
  }, START_TIMEOUT_MS)

  afterEach(async () => expect(await pages.close()).toEqual([]))

  test.each(examples.map((example) => [example.title, example] as const))('%s', async (title, example) => {
    const stored = storageWith(host, await storedLogin(cluster.origin, PERSON))
    const { page } = await pages.open(`${host}/`, stored, (one) => one.exposeFunction(PRINT, transcript.take))
    await page.evaluate(`run('${title}')`)
    for (const [at, text] of example.shown.entries()) {
      if (at > 0) await page.getByRole('button').first().click()
      await page.getByText(text).first().waitFor()
    }
    await transcript.whole(example)
    // What the cluster has sent, and what follows from it, has arrived after this round trip.
    await page.evaluate(`fetch('${cluster.origin}/oidc/jwks').then((answer) => answer.text())`)
    expect(await pages.close()).toEqual([])
    await cluster.confirmed()
    const { printed, documented } = transcript.compare(example)
    expect(printed).toEqual(documented)
  })
}
