import { type FSWatcher, watch } from 'node:fs'
import { buildPage, pageSources } from '@saoma/testing'

/** Editors write a file in several steps. The build waits until they are done. */
const SETTLE_MS = 150

/** Builds the web page whenever a source changes, one build at a time. Returns a function that stops it. */
export const watchPage = (say: (sentence: string) => void): (() => void) => {
  let timer: NodeJS.Timeout | undefined
  let building = false
  let again = false

  const build = async () => {
    again = building
    if (building) return
    building = true
    try {
      await buildPage()
      say('The web page was built again: reload it.')
    } catch (error) {
      say(`The web page cannot be built: ${error instanceof Error ? error.message : error}`)
    }
    building = false
    if (again) await build()
  }

  const watchers: FSWatcher[] = pageSources.map((folder) =>
    watch(folder, { recursive: true }, () => {
      clearTimeout(timer)
      timer = setTimeout(() => void build(), SETTLE_MS)
    }),
  )
  return () => {
    clearTimeout(timer)
    for (const watcher of watchers) watcher.close()
  }
}
