import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  createTranscript,
  createWx,
  type Example,
  type ExampleCluster,
  examplesContract,
  onCleanup,
  PERSON,
  PRINT,
  request,
  runInNode,
  runInPage,
  runnable,
  startExampleCluster,
  storedLogin,
  testApiKey,
} from '@saoma/testing'
import { build, root } from './build.ts'
import { openWechatJavascript } from './wx/wechat-javascript.ts'

const folder = join(root, 'packages/client')
const START_TIMEOUT_MS = 90_000

const examples = examplesContract({
  entries: {
    '@saoma/client': () => import('@saoma/client'),
    '@saoma/client/components': () => import('@saoma/client/components'),
    '@saoma/client/element': () => import('@saoma/client/element'),
    '@saoma/client/server': () => import('@saoma/client/server'),
    '@saoma/client/wx': () => import('@saoma/client/wx'),
    '@saoma/protocol': () => import('@saoma/protocol'),
  },
  folder,
  // The first line is for the sources of the package.
  declarations: `/// <reference path="../../src/wx/abortcontroller-polyfill.d.ts" />
declare const wx: import('@saoma/client/wx').Wx
`,
  // WeChat implements them, and the SDK calls them.
  notOurs: ['Wx', 'WxTask'],
})

/** Where an example runs is where people use what it imports. */
const placeOf = ({ code }: Example): 'phone' | 'node' | 'page' => {
  if (code.includes("'@saoma/client/wx'")) return 'phone'
  if (code.includes("'@saoma/client/server'") || !code.includes("'@saoma/client")) return 'node'
  return 'page'
}

const examplesIn = (place: ReturnType<typeof placeOf>) => examples.filter((example) => placeOf(example) === place)

describe('in a browser', () => runInPage({ folder, examples: examplesIn('page') }))

describe('elsewhere', () => {
  const transcript = createTranscript()
  let cluster: ExampleCluster

  beforeAll(async () => {
    cluster = await startExampleCluster()
  }, START_TIMEOUT_MS)

  /** What comes later is not seen, so this is called when nothing of the example runs any more. */
  const expectPrinted = (example: Example) => {
    const { printed, documented } = transcript.compare(example)
    expect({ [example.title]: printed }).toEqual({ [example.title]: documented })
  }

  test('in Node', async () => {
    const { origin } = cluster
    const { accessToken } = await storedLogin(origin, PERSON)
    const env = { SAOMA_API_KEY: testApiKey, ACCESS_TOKEN: accessToken }
    await runInNode(examplesIn('node'), { folder, origin, env, transcript })
    for (const example of examplesIn('node')) expectPrinted(example)
    await cluster.confirmed()
  })

  /** The mini-program's code as its build makes it: one file. */
  const buildForWechat = async (code: string): Promise<string> => {
    const out = await build(code, (entry) => ({
      define: { self: 'globalThis' },
      build: {
        target: 'es2018',
        lib: { entry, formats: ['cjs'], fileName: () => 'page.js' },
        rolldownOptions: { output: { codeSplitting: false } },
      },
    }))
    return readFile(join(out, 'page.js'), 'utf8')
  }

  test.each(examplesIn('phone').map((example) => [example.title, example] as const))(
    "in WeChat's JavaScript: %s",
    async (_, example) => {
      const code = await buildForWechat(`import '@saoma/client/wx/globals'\n${runnable(example, cluster.origin)}`)
      const { key, value } = await storedLogin(cluster.origin, PERSON)
      const phone = createWx({ storage: new Map([[key, value]]) })
      onCleanup(() => phone.kill())
      openWechatJavascript({ wx: phone.wx, [PRINT]: transcript.take }).run(code)
      await transcript.whole(example)
      // What the cluster has sent, and what follows from it, has arrived after this round trip.
      await request(`${cluster.origin}/oidc/jwks`)
      phone.kill()
      await cluster.confirmed()
      expectPrinted(example)
    },
  )
})
