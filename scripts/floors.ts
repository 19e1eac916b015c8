import { dirname } from 'node:path'

/**
 * The layers of a workspace's sources, the lowest first. A folder may import from itself and from lower
 * layers, including types. Folders of one layer must not import each other. Files outside of these folders,
 * and folders that are not listed, are above all layers.
 */
const houses: Readonly<Record<string, readonly (readonly string[])[]>> = {
  'apps/gateway/src': [['operate'], ['access'], ['config'], ['transport'], ['login', 'live', 'oidc'], ['admin']],
  'packages/client/src': [['core'], ['login', 'live'], ['session', 'element', 'wx']],
}

interface Room {
  house: string
  /** Undefined above all layers. */
  folder: string | undefined
  floor: number
}

const roomOf = (file: string): Room | undefined => {
  for (const [house, floors] of Object.entries(houses)) {
    if (!file.startsWith(`${house}/`)) continue
    const [folder = ''] = file.slice(house.length + 1).split('/')
    const floor = floors.findIndex((folders) => folders.includes(folder))
    return floor < 0 ? { house, folder: undefined, floor: floors.length } : { house, folder, floor }
  }
  return undefined
}

/** The violation of an import within one workspace; undefined if it is allowed. */
export const wrongFloor = (file: string, target: string): string | undefined => {
  const [from, to] = [roomOf(file), roomOf(target)]
  if (!from || !to || from.house !== to.house || from.folder === to.folder || to.floor < from.floor) return undefined
  if (to.floor === from.floor) return `stands beside ${to.folder}, and imports ${target}`
  return `is below ${to.folder ?? 'what puts the house together'}, and imports ${target}`
}

/** The folders of both files, if these folders must not form a cycle. */
export const foldersOf = (file: string, target: string): [string, string] | undefined => {
  const [from, to] = [dirname(file), dirname(target)]
  return from !== to && roomOf(file) && roomOf(target) ? [from, to] : undefined
}
