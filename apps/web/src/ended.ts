import { codes, type EndNotice } from '@saoma/protocol'
import { type Language, language } from './language.ts'

const revoked: Record<Language, string> = {
  en: 'You were logged out from another device.',
  zh: '你已在其他设备上退出了此处的登录。',
}

/** What a person is told whose login was ended elsewhere: if there is one, the sentence of who did it. */
export const sayEnded = (notice: EndNotice | undefined): string => {
  if (notice?.reason) return notice.reason
  return notice?.code === 'REPLACED' ? codes.REPLACED.say[language()] : revoked[language()]
}
