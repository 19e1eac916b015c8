import { Environment } from '../config/environment.ts'

/*
 * Node, compose and systemd read files of settings in different ways. Node ends a value without quotes at
 * every #, compose at one behind a space, systemd at none. Compose replaces $NAME there and between double
 * quotes; the others do not. In single quotes all three take a value as it is.
 */

const LINE = /^[ \t]*(?:export[ \t]+)?([A-Za-z_][\w.-]*)[ \t]*=[ \t]*(.*)$/
const NAMES = new Set(Object.keys(Environment.entries))
const isSetting = (name: string): boolean => NAMES.has(name.replace(/_FILE$/, '')) || /^(AWS|OTEL)_/.test(name)

/** Whether readers differ about what stands behind `=`. */
const isUnclear = (value: string): boolean => {
  const quoted = /^(['"])(.*)\1[ \t]*$/.exec(value)
  if (!quoted) return /[#$'"`\\]/.test(value)
  const [, quote = '', inner = ''] = quoted
  return inner.includes(quote) || (quote === '"' && /[$\\]/.test(inner))
}

/** The settings in a file whose values are not read alike by all that read such files. */
export const unclearNames = (text: string): string[] => {
  const names = new Set<string>()
  for (const line of text.split(/\r?\n/)) {
    const [, name = '', value = ''] = LINE.exec(line) ?? []
    if (isSetting(name) && isUnclear(value)) names.add(name)
  }
  return [...names]
}
