/**
 * Loaded into a node before its own program (`--import`): throws where nobody catches it. On SIGUSR2, and
 * with THROW_AT_START as soon as the program listens for what nobody catches.
 */
let times = 0
const surprise = () => {
  throw new Error(`a surprise of a test, number ${++times}`)
}
process.on('SIGUSR2', () => setTimeout(surprise, 0))

if (process.env.THROW_AT_START) {
  const look = () => {
    if (process.listenerCount('uncaughtException') > 0) surprise()
    setImmediate(look)
  }
  look()
}
