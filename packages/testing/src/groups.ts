import { type ChildProcess, spawn } from 'node:child_process'

/**
 * Process groups that must not outlive this process, however it ends. `kill -9` leaves no time for an exit
 * handler. So a small shell keeps the list and reads from a pipe that only this process holds: when the pipe
 * closes, this process has ended.
 */
const KEEPER = `
groups=' '
while read -r verb group; do
  case $verb in
    add) groups="$groups$group " ;;
    drop) groups="\${groups%% $group *} \${groups#* $group }" ;;
  esac
done
for group in $groups; do kill -9 "-$group" 2>/dev/null; done
`

let keeper: ChildProcess | undefined

const tell = (verb: 'add' | 'drop', group: number): void => {
  if (!keeper) {
    // In its own session, so that Ctrl-C in a terminal does not end it before us.
    keeper = spawn('/bin/sh', ['-c', KEEPER], { detached: true, stdio: ['pipe', 'ignore', 'ignore'] })
    keeper.unref()
    const { stdin } = keeper
    // EPIPE means that the keeper was killed. Then nobody can be told.
    stdin?.on('error', () => {})
    if (stdin && 'unref' in stdin && typeof stdin.unref === 'function') stdin.unref()
  }
  keeper.stdin?.write(`${verb} ${group}\n`)
}

/** Ends the group when this process ends for any reason. */
export const guardGroup = (group: number): void => tell('add', group)

/** The group has ended: its number may soon belong to another one. */
export const releaseGroup = (group: number): void => tell('drop', group)

/** Sends a signal to every process of the group. Returns false if none is left. */
export const signalGroup = (group: number, signal: NodeJS.Signals | 0): boolean => {
  try {
    return process.kill(-group, signal)
  } catch {
    return false // ESRCH: all processes have ended.
  }
}
