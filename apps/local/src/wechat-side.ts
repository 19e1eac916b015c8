import { writeFile } from 'node:fs/promises'

type Settings = Readonly<Record<string, string>>

/** Settings for the tools of this cluster: `phone.ts` here, and the pool command of the gateway. */
const FOR_TOOLS = /^(SAOMA_(ORIGIN|SECRET|CODES|POOL_\w+|REDIS_PREFIX)|REDIS_URL|WECHAT_\w+)$/

/**
 * Only the option --wechat turns demo phones off, and only then does WeChat draw codes. Throws an error for
 * the user if the settings contradict the option.
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
 * Settings of nodes with mini-program codes.
 * @param folder  for the pictures, unless the user names another place
 */
export const wechatSettings = (own: Settings, folder: string): Record<string, string> => ({
  SAOMA_DEMO: 'false',
  SAOMA_CODES: own.SAOMA_CODES ?? 'fresh-then-pool',
  SAOMA_POOL_STORE: own.SAOMA_POOL_STORE ?? folder,
})

/**
 * Writes the settings that tools need, for `node --env-file`. The file contains the secret, like the file
 * beside it.
 */
export const writeToolSettings = async (file: string, settings: Settings): Promise<void> => {
  const lines = Object.entries(settings).flatMap(([name, value]) =>
    FOR_TOOLS.test(name) ? [`${name}="${value}"\n`] : [],
  )
  await writeFile(file, lines.join(''), { mode: 0o600 })
}
