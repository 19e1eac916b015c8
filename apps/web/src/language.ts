export type Language = 'en' | 'zh'

const KEY = 'saoma:language'
const htmlLang: Record<Language, string> = { en: 'en', zh: 'zh-CN' }

const isLanguage = (value: unknown): value is Language => value === 'en' || value === 'zh'

const remembered = (): Language | undefined => {
  try {
    const value = localStorage.getItem(KEY)
    return isLanguage(value) ? value : undefined
  } catch {
    return undefined // Storage is turned off.
  }
}

let current: Language = remembered() ?? (/^zh\b/i.test(navigator.language) ? 'zh' : 'en')
document.documentElement.lang = htmlLang[current]

export const language = (): Language => current

/** Switches the page to a language and remembers it. */
export const speak = (next: Language): void => {
  current = next
  document.documentElement.lang = htmlLang[next]
  try {
    localStorage.setItem(KEY, next)
  } catch {
    // Storage is turned off: the choice lasts as long as the page.
  }
}

/** Shows the page in the first of these languages (BCP 47) that it has, unless the person has chosen one. */
export const suggest = (languages: readonly string[]): void => {
  if (remembered()) return
  const wanted = languages.map((tag) => tag.slice(0, 2).toLowerCase()).find(isLanguage)
  if (!wanted) return
  current = wanted
  document.documentElement.lang = htmlLang[wanted]
}

/** Puts values into a sentence: `{name}`. */
export const fill = (sentence: string, values: Record<string, string | number>): string =>
  sentence.replace(/\{(\w+)\}/g, (_, name: string) => String(values[name] ?? ''))
