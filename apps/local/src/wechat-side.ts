import { started } from './called.ts'

type Settings = Readonly<Record<string, string>>

/**
 * Only the option --wechat turns demo phones off, and only then does WeChat draw codes. Throws an error for
 * the user if the settings contradict the option.
 */
export const assertFits = (own: Settings, wechat: boolean): void => {
  const { SAOMA_DEMO: demo, SAOMA_CODES: codes = 'fresh' } = own
  if (wechat && demo === 'true') throw new Error('SAOMA_DEMO=true does not go with --wechat. Leave one of them out.')
  if (!wechat && demo === 'false')
    throw new Error(`For a cluster without demo phones, leave SAOMA_DEMO out: ${started('--wechat')}`)
  if (!wechat && codes !== 'fresh')
    throw new Error(`SAOMA_CODES=${codes} needs codes that WeChat draws: ${started('--wechat')}`)
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
