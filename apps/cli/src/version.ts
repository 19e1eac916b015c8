import { readFileSync } from 'node:fs'

/** Version of this command, of the nodes that it starts, and of the images and overlays that `init` names. */
export const { version }: { version: string } = JSON.parse(
  readFileSync(new URL('../package.json', import.meta.url), 'utf8'),
)

/** Where the sources, the pages and the Kubernetes overlays of every version are. */
export const REPOSITORY = 'https://github.com/saoma/saoma'
