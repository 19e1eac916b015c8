import { readFileSync, readlinkSync, realpathSync } from 'node:fs'

/** Every mount of this process: proc_pid_mountinfo(5). Only Linux has it. */
const TABLE = '/proc/self/mountinfo'
/** Where Docker and Kubernetes put secrets for one container alone. */
const OF_THE_CONTAINER = /^\/(var\/)?run\/secrets\//

/** Spaces and the like are octal there. */
const plain = (field: string): string =>
  field.replaceAll(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)))

const isBelow = (path: string, folder: string): boolean =>
  folder === '/' || path === folder || path.startsWith(`${folder}/`)

/** Whether a path lies in a mount that nobody here can write to. @param table  the text of mountinfo */
export const isReadOnly = (path: string, table: string): boolean => {
  let nearest = { folder: '', isReadOnly: false }
  for (const line of table.split('\n')) {
    const [, , , , folder = '', options = ''] = line.split(' ').map(plain)
    // Of two mounts at one place the later one hides the former.
    if (folder !== '' && isBelow(path, folder) && folder.length >= nearest.folder.length)
      nearest = { folder, isReadOnly: options.split(',').includes('ro') }
  }
  return nearest.isReadOnly
}

const tableOf = (): string => {
  try {
    return readFileSync(TABLE, 'utf8')
  } catch {
    return ''
  }
}

const linkOf = (path: string): string => {
  try {
    return readlinkSync(path)
  } catch {
    return ''
  }
}

/**
 * Who decides about the rights of a file, if not its mode. `container`: a volume of secrets, which belongs to
 * this container alone. `mount`: it cannot be changed from here, and who reads it elsewhere cannot be seen.
 */
export const givenBy = (path: string): 'container' | 'mount' | undefined => {
  // Kubernetes links each file of a Secret to a folder that it exchanges.
  if (OF_THE_CONTAINER.test(path) || linkOf(path).startsWith('..data/')) return 'container'
  let real = path
  try {
    real = realpathSync(path)
  } catch {
    return undefined
  }
  return isReadOnly(real, tableOf()) ? 'mount' : undefined
}
