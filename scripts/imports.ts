import { readFileSync } from 'node:fs'
import { parseSync } from '@swc/core'

/** One import or re-export of a source file. */
export interface Import {
  /** As written. */
  specifier: string
  /** Does not exist at run time: `import type`, or all imported names are types. */
  typeOnly: boolean
  line: number
}

type Tree = Record<string, unknown>

const isTree = (value: unknown): value is Tree => typeof value === 'object' && value !== null

const text = (value: unknown): string | undefined =>
  isTree(value) && typeof value.value === 'string' ? value.value : undefined

const allTypes = (specifiers: unknown): boolean =>
  Array.isArray(specifiers) && specifiers.length > 0 && specifiers.every((one) => isTree(one) && one.isTypeOnly)

/** The module that a syntax node imports; undefined for other nodes. */
const named = (node: Tree): Omit<Import, 'line'> | undefined => {
  const as = (value: unknown, typeOnly: boolean) => {
    const specifier = text(value)
    return specifier === undefined ? undefined : { specifier, typeOnly }
  }
  switch (node.type) {
    case 'ImportDeclaration':
    case 'ExportNamedDeclaration':
      return as(node.source, Boolean(node.typeOnly) || allTypes(node.specifiers))
    case 'ExportAllDeclaration':
      return as(node.source, Boolean(node.typeOnly))
    case 'TsImportType':
      return as(node.argument, true)
    case 'CallExpression': {
      const callee = isTree(node.callee) ? node.callee : {}
      const loads = callee.type === 'Import' || (callee.type === 'Identifier' && callee.value === 'require')
      const first: unknown = loads && Array.isArray(node.arguments) ? node.arguments[0] : undefined
      return isTree(first) ? as(first.expression, false) : undefined
    }
    default:
      return undefined
  }
}

const walk = (value: unknown, visit: (node: Tree) => void): void => {
  if (Array.isArray(value)) for (const one of value) walk(one, visit)
  else if (isTree(value)) {
    visit(value)
    for (const child of Object.values(value)) if (isTree(child)) walk(child, visit)
  }
}

/**
 * Every import, re-export, `import()` and `require()` of a file whose module name is a literal. Throws if the
 * file cannot be parsed.
 */
export const importsOf = (file: string): Import[] => {
  const source = readFileSync(file, 'utf8')
  const typescript = /\.[cm]?ts$/.test(file)
  const tree = parseSync(source, { syntax: typescript ? 'typescript' : 'ecmascript', target: 'esnext' })
  const lines = source.split('\n')
  const found: Import[] = []
  walk(tree.body, (node) => {
    const one = named(node)
    if (!one) return
    const line = lines.findIndex(
      (content) => content.includes(`'${one.specifier}'`) || content.includes(`"${one.specifier}"`),
    )
    found.push({ ...one, line: line + 1 })
  })
  return found
}
