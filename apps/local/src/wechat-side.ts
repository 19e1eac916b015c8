import { writeFile } from 'node:fs/promises'

type Settings = Readonly<Record<string, string>>

/** What the tools for this cluster have to know: `phone.ts` here, and the pool's command of the gateway. */
const FOR_TOOLS = /^(SAOMA_(ORIGIN|SECRET|CODES|POOL_\w+|REDIS_PREFIX)|REDIS_URL|WECHAT_\w+)$/

/**
 * Whether the nodes are without demo phones is one of our options, and only then are there codes of WeChat.
 * Throws an error for the person whose settings say otherwise.
 */
export const assertFits = (own: Settings, wechat: boolean): void => {
  const { SAOMA_DEMO: demo, SAOMA_CODES: codes = 'fresh' } = own
  if (wechat && demo === 'true') throw new Error('SAOMA_DEMO=true does not go with --wechat. Leave one of them out.')
  if (!wechat && demo === 'false')
    throw new Error('For a cluster without demo phones, leave SAOMA_DEMO out: npm start -- --wechat')
  if (!wechat && codes !== 'fresh')
    throw new Error(`SAOMA_CODES=${codes} needs codes that WeChat draws: npm start -- --wechat`)
}

/**
 * Settings of nodes whose codes are a mini-program's. @param folder  for the pictures, unless the person
 * names another place
 */
export const wechatSettings = (own: Settings, folder: string): Record<string, string> => ({
  SAOMA_DEMO: 'false',
  SAOMA_CODES: own.SAOMA_CODES ?? 'fresh-then-pool',
  SAOMA_POOL_STORE: own.SAOMA_POOL_STORE ?? folder,
})

/**
 * Writes what tools have to know of the nodes' settings, for `node --env-file`. It holds the secret, as the
 * file beside it does.
 */
export const writeToolSettings = async (file: string, settings: Settings): Promise<void> => {
  const lines = Object.entries(settings).flatMap(([name, value]) =>
    FOR_TOOLS.test(name) ? [`${name}="${value}"\n`] : [],
  )
  await writeFile(file, lines.join(''), { mode: 0o600 })
}
