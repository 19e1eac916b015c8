import { createLog } from '../src/operate/log.ts'

/**
 * Says the words it is started with, each at its level (`info:one`), and ends as the first word says: `exit`,
 * `killed`, or not at all.
 */
const [end, ...words] = process.argv.slice(2)
const log = createLog({ level: 'info', node: 'test' })
for (const word of words) {
  const [level, text] = word.split(':')
  log[level === 'warn' || level === 'fatal' ? level : 'info'](text)
}
if (end === 'exit') process.exit(0)
if (end === 'killed') process.kill(process.pid, 'SIGKILL')
setInterval(() => {}, 1_000)
