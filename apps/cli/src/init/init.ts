import { resolve } from 'node:path'
import { styleText } from 'node:util'
import { filesForCompose, nextForCompose } from './for-compose.ts'
import { filesForKubernetes, nextForKubernetes } from './for-kubernetes.ts'
import { writeFiles } from './write.ts'

export interface InitOptions {
  folder: string
  /** A kustomize overlay instead of a compose file. */
  k8s: boolean
  /** Public origin of the cluster. */
  origin: string | undefined
  force: boolean
}

/** Writes what a cluster in production needs, and says what to do next. Throws an error for the user. */
export const init = async ({ folder, k8s, origin, force }: InitOptions, say: (line: string) => void): Promise<void> => {
  const place = resolve(folder)
  const files = k8s ? filesForKubernetes(origin) : filesForCompose(origin)
  const { written, kept } = await writeFiles(place, files, force)
  const bold = (text: string): string => styleText('bold', text, { stream: process.stdout })
  say(bold(`Written to ${place}:`))
  for (const path of written) say(`  ${path}`)
  if (kept.length > 0) say(`Left as they were: ${kept.join(', ')}`)
  if (kept.length > 0 && origin !== undefined) say('So --origin has changed nothing: set SAOMA_ORIGIN there.')
  say('')
  say(bold('Next:'))
  for (const [i, step] of (k8s ? nextForKubernetes(origin) : nextForCompose(origin)).entries())
    say(`  ${i + 1}. ${step}`)
}
