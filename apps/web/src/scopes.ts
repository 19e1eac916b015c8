import { type Language, language } from './language.ts'

const words: Record<Language, Readonly<Record<string, string>>> = {
  en: {
    openid: 'an id that stands for you',
    profile: 'your name, your picture and your language',
    phone: 'your phone number',
    business: 'what the company has noted about you',
    offline_access: 'this also later, while you are not there',
  },
  zh: {
    openid: '代表你的标识',
    profile: '你的姓名、头像和语言',
    phone: '你的手机号码',
    business: '公司记录的你的信息',
    offline_access: '在你离开后仍可获得以上信息',
  },
}

/** What an application gets by a scope, in the words of a person. */
export const sayScope = (scope: string): string => words[language()][scope] ?? scope
