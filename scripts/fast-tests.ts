import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { filesBelow } from './files.ts'

const IMPORT = /(?:import|export)\s+(type\s+)?([^'"]*?)\s*from\s*'([^']+)'/g
/** Names of functions that start a process, or connect to one that the test has started elsewhere. */
const BEGINS = /^(?:start(?!Awake)|open|launch|run|prepare|install|ensure|connectTo)[A-Z]/
/**
 * Tests without processes that still take ten seconds, because they draw pictures or wait for a stalled
 * socket.
 */
const SLOW = /wechat-simulator\/test\/picture|gateway\/test\/stalled-reader/
const PROCESSES = new Set(['node:child_process', 'node:worker_threads', 'node:cluster'])

const namesOf = (clause: string): string[] =>
  clause
    .replace(/[{}]/g, ' ')
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '' && !name.startsWith('type '))

/** Whether a test file starts no process, judging by its imports and those of its local files. */
const isAlone = (root: string, file: string, seen: Set<string>): boolean => {
  if (seen.has(file)) return true
  seen.add(file)
  return [...readFileSync(join(root, file), 'utf8').matchAll(IMPORT)].every(([, type, clause = '', from = '']) => {
    if (type) return true
    if (PROCESSES.has(from)) return false
    if (from === '@saoma/testing') return !namesOf(clause).some((name) => BEGINS.test(name))
    const beside = join(dirname(file), from)
    const isTest = from.startsWith('.') && beside.includes('/test/') && existsSync(join(root, beside))
    return !isTest || isAlone(root, beside, seen)
  })
}

/** Test files that need neither Redis nor another process, relative to `root`. */
export const fastTests = (root: string): string[] =>
  filesBelow(root).filter(
    (file) =>
      /^(?:packages|apps)\/[^/]+\/test\/.*\.test\.ts$/.test(file) && !SLOW.test(file) && isAlone(root, file, new Set()),
  )
