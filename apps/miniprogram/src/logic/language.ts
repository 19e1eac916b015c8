export type Language = 'zh' | 'en'

/** Chinese, unless the phone is set to English. `zh_CN`, `en`, `en-US`. */
export const languageOf = (named: string | undefined): Language => (/^en\b|^en_/i.test(named ?? '') ? 'en' : 'zh')

/** Puts values into a sentence: `{name}`. */
export const fill = (sentence: string, values: Record<string, string | number>): string =>
  sentence.replace(/\{(\w+)\}/g, (_, name: string) => String(values[name] ?? ''))
