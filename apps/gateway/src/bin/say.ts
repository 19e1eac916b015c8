import { fstatSync, statSync } from 'node:fs'

/** Resolves when the lines are written to standard output. Rejects if nobody reads them. */
export const say = (...lines: readonly string[]): Promise<void> =>
  new Promise((done, fail) => {
    process.stdout.write(`${lines.join('\n')}\n`, (error) => (error ? fail(error) : done()))
  })

export const warn = (line: string): void => void process.stderr.write(`${line}\n`)

/** Whether what is printed is lost for certain: Node opens /dev/null in place of an output that is closed. */
export const isUnheard = (): boolean => {
  const [output, nowhere] = [fstatSync(process.stdout.fd), statSync('/dev/null')]
  return output.isCharacterDevice() && output.rdev === nowhere.rdev
}
