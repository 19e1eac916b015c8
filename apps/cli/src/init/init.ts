import { resolve } from 'node:path'
import { styleText } from 'node:util'
import { REPOSITORY, version } from '../version.ts'
import { filesForCompose, nextForCompose } from './for-compose.ts'
import { filesForKubernetes, nextForKubernetes } from './for-kubernetes.ts'
import { type NewFile, writeFiles } from './write.ts'

const README = 'README.md'
const IGNORE = '.gitignore'

export interface InitOptions {
  folder: string
  /** A kustomize overlay instead of a compose file. */
  k8s: boolean
  /** Public origin of the cluster. */
  origin: string | undefined
  force: boolean
}

/** What a person has to know of files that stay because people wrote them. */
const aboutForeign = (foreign: readonly string[], files: readonly NewFile[]): string[] => {
  if (foreign.length === 0) return []
  const lines = [
    `Left alone, because saoma init has not written ${foreign.length > 1 ? 'them' : 'it'}: ${foreign.join(', ')}`,
  ]
  if (foreign.includes(IGNORE)) {
    const { text = '' } = files.find(({ path }) => path === IGNORE) ?? {}
    const names = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
    lines.push(`So see to it that git ignores ${names.join(', ')}: there are secrets in them.`)
  }
  return lines
}

/** Writes what a cluster in production needs, and says what to do next. Throws an error for the user. */
export const init = async ({ folder, k8s, origin, force }: InitOptions, say: (line: string) => void): Promise<void> => {
  const place = resolve(folder)
  const files = k8s ? filesForKubernetes(origin) : filesForCompose(origin)
  const { written, kept, foreign } = await writeFiles(place, files, force)
  const bold = (text: string): string => styleText('bold', text, { stream: process.stdout })
  say(bold(`Written to ${place}:`))
  for (const path of written) say(`  ${path}`)
  if (kept.length > 0) say(`Left as they were: ${kept.join(', ')}`)
  if (kept.length > 0 && origin !== undefined) say('So --origin has changed nothing: set SAOMA_ORIGIN there.')
  for (const line of aboutForeign(foreign, files)) say(line)
  say('')
  say(bold('Next:'))
  const steps = k8s ? nextForKubernetes(origin) : nextForCompose(origin)
  const page = `${REPOSITORY}/blob/v${version}/${k8s ? 'k8s/README.md#production' : 'docs/operate.md#set-it-up'}`
  for (const [i, step] of steps.entries())
    say(`  ${i + 1}. ${foreign.includes(README) ? step.replaceAll(README, page) : step}`)
}
