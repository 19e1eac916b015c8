import { codes } from '@saoma/protocol'
import { type Language, language } from './language.ts'

const unreachable: Record<Language, string> = { en: 'The server cannot be reached.', zh: '无法连接服务器。' }

/** The sentence for people about a failure's code. */
export const sayCode = (code: string): string =>
  code in codes ? codes[code as keyof typeof codes].say[language()] : unreachable[language()]
