import { globSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

const source = fileURLToPath(new URL('src', import.meta.url))
const LIBRARY = 'tdesign-miniprogram'
/** What pages write before the name of a component. */
const NAMED = `${LIBRARY}/`
const STATIC = '*.{wxml,wxss,wxs,json,png}'

/** Folder of the component library. */
export const library: string = dirname(fileURLToPath(import.meta.resolve(LIBRARY)))
/** Where WeChat's tools put a library in a package, and so do we. */
export const libraryPlace = `miniprogram_npm/${LIBRARY}`
/** Where the page that confirms a login lies in the sources. */
export const loginPage = 'pages/login/index'

/** What a package is made of: places in it without or with an ending, and files on disk. */
export interface Sources {
  /** Scripts of pages and components, by place without the ending. */
  scripts: Record<string, string>
  /** Everything that is no script, by place. */
  statics: ReadonlyMap<string, string>
}

const isFile = (file: string): boolean => statSync(file, { throwIfNoEntry: false })?.isFile() ?? false

const filesOf = (folder: string, pattern: string): string[] => globSync(`**/${pattern}`, { cwd: folder }).sort()

const usedBy = (json: string): string[] => {
  const { usingComponents = {} } = JSON.parse(readFileSync(json, 'utf8')) as {
    usingComponents?: Record<string, string>
  }
  return Object.values(usingComponents)
}

/** Every component of the library that our pages name, and what those are made of: `button/button`. */
const usedComponents = (): Set<string> => {
  const used = new Set<string>()
  const add = (name: string) => {
    if (used.has(name)) return
    used.add(name)
    const json = join(library, `${name}.json`)
    for (const path of usedBy(json)) add(relative(library, join(dirname(json), path)))
  }
  for (const file of filesOf(source, '*.json'))
    for (const path of usedBy(join(source, file))) if (path.startsWith(NAMED)) add(path.slice(NAMED.length))
  return used
}

/** @param page  where in the package the login page is to be: its address is the server's choice */
export const findSources = (page: string): Sources => {
  const placeOf = (file: string): string => (file.startsWith(loginPage) ? file.replace(loginPage, page) : file)
  const components = [...usedComponents()]
  const ours = filesOf(source, '*.json').flatMap((file) => {
    const script = file.replace(/\.json$/, '.ts')
    return isFile(join(source, script)) ? [script] : []
  })
  if (page !== loginPage && ours.includes(`${page}.ts`))
    throw new Error(`SAOMA_PAGE is ${page}, which is another page.`)
  const theirs = ['common', ...components.map(dirname)].flatMap((folder) =>
    filesOf(join(library, folder), STATIC).map((file) => join(folder, file)),
  )
  return {
    scripts: Object.fromEntries([
      ...ours.map((file) => [placeOf(file).replace(/\.ts$/, ''), join(source, file)]),
      ...components.map((name) => [`${libraryPlace}/${name}`, join(library, `${name}.js`)]),
    ]),
    statics: new Map([
      ...filesOf(source, STATIC).map((file): [string, string] => [placeOf(file), join(source, file)]),
      ...theirs.map((file): [string, string] => [`${libraryPlace}/${file}`, join(library, file)]),
    ]),
  }
}

/**
 * A file as it goes into the package: names of the library become paths, and the list of pages tells where
 * the login page is.
 */
export const readStatic = (file: string, page: string): string | Uint8Array => {
  const bytes = readFileSync(file)
  if (!file.startsWith(source) || !file.endsWith('.json')) return bytes
  return bytes.toString().replaceAll(`"${NAMED}`, `"/${libraryPlace}/`).replaceAll(`"${loginPage}"`, `"${page}"`)
}

/** A dependency of the library. It brings them itself, in a folder that only WeChat's tools look into. */
export const findDependency = (name: string): string | undefined =>
  ['.js', '/index.js'].map((end) => join(library, 'miniprogram_npm', name + end)).find(isFile)
