import { createServer } from 'node:net'
import { networkInterfaces } from 'node:os'

/**
 * Networks that home and office routers give out; a container's bridge or a VPN may be there too, so these go
 * first.
 */
const PRIVATE = [/^192\.168\./, /^10\./, /^172\.(1[6-9]|2\d|3[01])\./]
/** Interfaces of containers and virtual machines: no phone is on those. */
const VIRTUAL = /^(docker|br-|veth|virbr|vmnet|vboxnet|utun|tun|tap)/

/** The address under which phones on the same network reach this machine, or undefined. */
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

/** Throws an error for the person when nobody can listen there. */
export const assertFree = (host: string, port: number): Promise<void> =>
  new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', (error) => {
      const code = 'code' in error ? error.code : undefined
      if (code === 'EADDRINUSE')
        reject(new Error(`Port ${port} is in use. Choose another: npm start -- --port ${port + 1}`))
      else if (code === 'EACCES')
        reject(new Error(`Port ${port} needs special rights. Choose one above 1023: npm start -- --port 8080`))
      else reject(error)
    })
    server.listen(port, host, () => server.close(() => resolve()))
  })
