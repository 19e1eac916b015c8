/*
 * Takes the pictures of the pages from a running cluster, and writes them to docs/*.png. Look at each before
 * you commit it: the code, the letters and the times are others each time.
 *
 *   npm run pictures              all of them
 *   npm run pictures -- chat      some of them
 */

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  type Cluster,
  cleanUp,
  ensurePage,
  ensurePrograms,
  freePort,
  launchBrowser,
  pageFolder,
  shopSettings,
  startCluster,
  startShop,
  storageWith,
  storedLogin,
} from '@saoma/testing'
import { encodePng } from './palette-png.ts'
import { root } from './repository.ts'

type Browser = Awaited<ReturnType<typeof launchBrowser>>
type Page = Awaited<ReturnType<Browser['newPage']>>

interface Stage {
  cluster: Cluster
  browser: Browser
}

const MOST_BYTES = 150_000
const TIMEOUT_MS = 20_000

/** A page of somebody who is logged in, or of a stranger. */
const open = async ({ cluster, browser }: Stage, path: string, width: number, height: number, name?: string) => {
  const { origin } = cluster
  const context = await browser.newContext({
    viewport: { width, height },
    locale: 'en-US',
    reducedMotion: 'reduce',
    ...(name ? { storageState: storageWith(origin, await storedLogin(origin, name)) } : {}),
  })
  context.setDefaultTimeout(TIMEOUT_MS)
  const page = await context.newPage()
  await page.goto(new URL(path, origin).href)
  return page
}

const isLive = (page: Page): Promise<void> => page.locator('[data-state="socket"]').waitFor()
/** The caret would be there in one picture and not in the next. */
const shoot = (page: Page): Promise<Buffer> => page.screenshot({ caret: 'hide', animations: 'disabled' })

/** The login page, and beside it the phone that has scanned its code. */
const takeLogin = async (stage: Stage): Promise<Buffer> => {
  const page = await open(stage, '/', 1080, 764)
  await page.locator('saoma-login .card.waiting img').waitFor()
  // Before the scan, after which the page shows the code no more.
  const login = await shoot(page)
  const address = await page.locator('saoma-login a').getAttribute('href')
  const phone = await open(stage, address ?? '/', 376, 752)
  await phone.getByRole('button', { name: 'Han Meimei' }).click()
  await phone.getByRole('button', { name: 'Confirm' }).waitFor()
  return await frame(stage, [
    { picture: login, style: 'border-radius: 8px' },
    { picture: await shoot(phone), style: 'border: 6px solid #1d1d1f; border-radius: 26px' },
  ])
}

interface Framed {
  picture: Buffer
  style: string
}

/** Screenshots side by side, as one picture. */
const frame = async ({ browser }: Stage, shots: readonly Framed[]): Promise<Buffer> => {
  const page = await browser.newPage({ viewport: { width: 1560, height: 840 } })
  const images = shots.map(
    ({ picture, style }) =>
      `<img src="data:image/png;base64,${picture.toString('base64')}" style="box-shadow: 0 4px 16px #0003; ${style}">`,
  )
  await page.setContent(
    `<body style="margin: 0; padding: 20px; display: flex; gap: 24px; background: #e5e9ee; width: max-content">${images.join('')}`,
  )
  await page.waitForFunction(() => [...document.images].every(({ complete }) => complete))
  return await page.locator('body').screenshot()
}

/** Two people at one table. */
const takeLive = async (stage: Stage): Promise<Buffer> => {
  const one = await open(stage, '/table.html?table=7', 1100, 1024, 'Han Meimei')
  const other = await open(stage, '/table.html?table=7', 1100, 1024, '王小明')
  await Promise.all([isLive(one), isLive(other)])
  await one.getByRole('button', { name: 'One more: Beef noodles' }).dblclick()
  await other.getByText('Beef noodles × 2', { exact: true }).waitFor()
  await other.getByRole('button', { name: 'One more: Mapo tofu' }).click()
  await one.getByText('Mapo tofu × 1', { exact: true }).waitFor()
  await one.getByRole('button', { name: 'Note for Beef noodles' }).click()
  await one.getByLabel('Note for Beef noodles').fill('no coriander, please')
  await one.getByRole('button', { name: 'Save' }).click()
  await other.locator('.note').getByText('no coriander, please').waitFor()
  await one.mouse.move(0, 0)
  return await shoot(one)
}

/** Three people in one room. */
const takeChat = async (stage: Stage): Promise<Buffer> => {
  const names = ['Han Meimei', '王小明', 'Li Lei']
  const pages = await Promise.all(names.map((name) => open(stage, '/chat.html', 1100, 760, name)))
  await Promise.all(pages.map(isLive))
  const [first, second, third] = pages
  if (!first || !second || !third) throw new Error('nobody is in the room')
  await first.getByRole('heading', { name: '3 people here' }).waitFor()
  const lines: [Page, string][] = [
    [second, '大家好'],
    [third, 'Hello! Who comes to lunch?'],
    [first, 'I do. Noodles at twelve?'],
  ]
  for (const [i, [page, text]] of lines.entries()) {
    await page.getByLabel('Your message').fill(text)
    await page.keyboard.press('Enter')
    await first
      .locator(`[data-offset="${i + 1}"]`)
      .getByText(text)
      .waitFor()
  }
  await second.getByLabel('Your message').fill('…')
  await first.getByText('王小明 is writing…').waitFor()
  return await shoot(first)
}

/** The viewer of the API documents, with the route that publishes. */
const takeApi = async (stage: Stage): Promise<Buffer> => {
  const page = await open(stage, '/docs', 1100, 640)
  const heading = page.locator('#http').getByRole('heading', { name: 'Live channels' })
  await heading.evaluate((element) => element.scrollIntoView({ block: 'start' }))
  return await shoot(page)
}

const pictures: Readonly<Record<string, (stage: Stage) => Promise<Buffer>>> = {
  login: takeLogin,
  live: takeLive,
  chat: takeChat,
  api: takeApi,
}

/** Decodes a PNG by the browser, and writes it smaller. */
const shrink = async ({ browser }: Stage, png: Buffer): Promise<Buffer> => {
  const page = await browser.newPage()
  const { width, height, base64 } = await page.evaluate(
    async (source) => {
      const bitmap = await createImageBitmap(await (await fetch(source)).blob())
      const canvas = new OffscreenCanvas(bitmap.width, bitmap.height)
      const context = canvas.getContext('2d')
      if (!context) throw new Error('this browser has no canvas')
      context.drawImage(bitmap, 0, 0)
      const { data } = context.getImageData(0, 0, bitmap.width, bitmap.height)
      // The browser has it, and our library of types does not.
      const bytes = new Uint8Array(data.buffer) as Uint8Array & { toBase64(): string }
      return { width: bitmap.width, height: bitmap.height, base64: bytes.toBase64() }
    },
    `data:image/png;base64,${png.toString('base64')}`,
  )
  await page.close()
  return encodePng({ width, height, data: Buffer.from(base64, 'base64') })
}

/** Without a Chinese font every sign is the same box. */
const hasChinese = async ({ browser }: Stage): Promise<boolean> => {
  const page = await browser.newPage()
  const [one, other] = await page.evaluate(() =>
    ['扫', '码'].map((sign) => {
      const canvas = document.createElement('canvas')
      const context = canvas.getContext('2d')
      if (context) context.font = '40px sans-serif'
      context?.fillText(sign, 10, 60)
      return canvas.toDataURL()
    }),
  )
  await page.close()
  return one !== other
}

const main = async (): Promise<void> => {
  const say = (sentence: string): void => console.log(sentence)
  const wanted = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(pictures)
  const unknown = wanted.find((name) => !pictures[name])
  if (unknown) throw new Error(`There is no picture ${unknown}: ${Object.keys(pictures).join(', ')}`)
  await ensurePrograms(['redis', 'nginx', 'curl', 'chromium'], say)
  await ensurePage(say)
  const port = await freePort()
  const { env, nginxEnv } = shopSettings(port)
  const cluster = await startCluster({ nodes: 2, env: { ...env, SAOMA_WEB_ROOT: pageFolder }, nginxEnv })
  await startShop({ origin: cluster.origin, port })
  const stage = { cluster, browser: await launchBrowser() }
  if (!(await hasChinese(stage)))
    throw new Error('This machine has no font with Chinese. On Debian: apt-get install fonts-noto-cjk')
  for (const name of wanted) {
    const png = await pictures[name]?.(stage)
    if (!png) continue
    const small = await shrink(stage, png)
    if (small.length > MOST_BYTES) throw new Error(`docs/${name}.png would have ${small.length} bytes`)
    await writeFile(join(root, `docs/${name}.png`), small)
    say(`docs/${name}.png: ${Math.ceil(small.length / 1_000)} KB`)
  }
}

try {
  await main()
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error))
  process.exitCode = 1
} finally {
  await cleanUp()
}
