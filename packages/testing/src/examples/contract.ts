import { withoutComments } from '../comments.ts'
import { checkTypes } from './check-types.ts'
import { type Example, examplesOf } from './example.ts'
import { asModule } from './in-page.ts'
import { methodsOf, type PublicName, publicNames } from './public-names.ts'

export interface ExamplesContract {
  /** The entries of the packages, as people import them, with what they export at run time. */
  entries: Readonly<Record<string, () => Promise<object>>>
  /** Of the package whose imports the examples can use. */
  folder: string
  /** TypeScript for an example that is none. @default its code as it is */
  moduleOf?: (example: Example, code: string) => { name: string; text: string }
  /** Declarations beside the examples. */
  declarations?: string
  /** Whether each public method has to occur in an example. @default true */
  hasMethods?: boolean
  /** Interfaces that others implement and call, so that no example has to. */
  notOurs?: readonly string[]
}

/** A function, a class, or a component of Vue, which is an object. */
const needsExample = (value: unknown): boolean =>
  typeof value === 'function' || (typeof value === 'object' && value !== null && 'setup' in value)

/** Two entries may export the same function. */
const withoutRepeats = (names: readonly PublicName[]): PublicName[] => [
  ...new Map(names.map((one) => [`${one.file} ${one.name}`, one])).values(),
]

/**
 * Tests that each public name has a docstring, and each public function an example; that each public method
 * occurs in one; and that the compiler accepts all of them. Returns the examples, to run them.
 */
export const examplesContract = (contract: ExamplesContract): Example[] => {
  const { entries, folder, moduleOf = asModule, declarations = '', hasMethods = true, notOurs = [] } = contract
  const names = Object.keys(entries).map((entry) => ({ entry, ...publicNames(entry) }))
  const values = withoutRepeats(names.flatMap((one) => one.values))
  const types = withoutRepeats(names.flatMap((one) => one.types))
  const examples = values.flatMap(examplesOf)

  test.each(names)('$entry: each public function has an example', async ({ entry, values }) => {
    const exported = Object.entries((await entries[entry]?.()) ?? {})
    expect(values.map(({ name }) => name).toSorted()).toEqual(exported.map(([name]) => name).toSorted())
    const needed = exported.filter(([, value]) => needsExample(value)).map(([name]) => name)
    const without = values.filter(({ name, examples }) => needed.includes(name) && examples.length === 0)
    expect(without.map(({ name }) => name)).toEqual([])
  })

  test('each public name has a docstring', () => {
    const bare = [...values, ...types].filter(({ prose }) => prose === '')
    expect(bare.map(({ name }) => name)).toEqual([])
  })

  test('each example says what it prints or shows', () => {
    const silent = examples.filter(({ printed, shown }) => printed.length + shown.length === 0)
    expect(silent.map(({ title }) => title)).toEqual([])
    const titles = examples.map(({ title }) => title)
    expect(titles).toEqual([...new Set(titles)])
  })

  const testMethods = () => {
    const code = withoutComments(examples.map((example) => example.code).join('\n'))
    const methods = [...values, ...types]
      .filter(({ name }) => !notOurs.includes(name))
      .flatMap((one) => methodsOf(one).map((method) => ({ of: one.name, method })))
    expect(methods.length).toBeGreaterThan(0)
    const missing = methods.filter(({ method }) => !new RegExp(`\\b${method}\\b(?:\\?\\.)?(?:<[^(]*>)?\\(`).test(code))
    expect(missing).toEqual([])
  }
  if (hasMethods) test('each public method occurs in an example', testMethods)

  test('the compiler accepts each example', async () => {
    const modules = examples.map((example) => moduleOf(example, example.code))
    const files = Object.fromEntries(modules.map(({ name, text }) => [name, text]))
    expect(Object.keys(files)).toHaveLength(examples.length)
    expect(await checkTypes(folder, { ...files, 'declarations.d.ts': declarations })).toBe('')
  })

  return examples
}
