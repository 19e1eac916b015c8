import { createServer } from 'node:net'
import { networkInterfaces } from 'node:os'
import { started } from './called.ts'

/**
 * Networks of home and office routers. The machine may also have a container bridge or a VPN, so addresses of
 * these networks go first.
 */
const PRIVATE = [/^192\.168\./, /^10\./, /^172\.(1[6-9]|2\d|3[01])\./]
/** Interfaces of containers and virtual machines. Phones cannot reach them. */
const VIRTUAL = /^(docker|br-|veth|virbr|vmnet|vboxnet|utun|tun|tap)/

/** The address by which phones on the same network reach this machine; undefined if there is none. */
export const lanAddress = (): string | undefined => {
  const addresses = Object.entries(networkInterfaces())
    .filter(([name]) => !VIRTUAL.test(name))
    .flatMap(([, entries = []]) => entries)
    .filter(({ family, internal }) => family === 'IPv4' && !internal)
    .map(({ address }) => address)
  const rank = (address: string) => {
    const found = PRIVATE.findIndex((pattern) => pattern.test(address))
    return found < 0 ? PRIVATE.length : found
  }
  return addresses.sort((a, b) => rank(a) - rank(b))[0]
}

/** Throws an error for the user if the port is not free. */
export const assertFree = (host: string, port: number): Promise<void> =>
  new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', (error) => {
      const code = 'code' in error ? error.code : undefined
      if (code === 'EADDRINUSE')
        reject(new Error(`Port ${port} is in use. Choose another: ${started(`--port ${port + 1}`)}`))
      else if (code === 'EACCES')
        reject(new Error(`Port ${port} needs special rights. Choose one above 1023: ${started('--port 8080')}`))
      else reject(error)
    })
    server.listen(port, host, () => server.close(() => resolve()))
  })
