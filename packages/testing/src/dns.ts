import { onCleanup } from './cleanup.ts'

/** A DNS server on the loopback interface with configurable addresses, like a cluster's own. */
export interface Dns {
  /** `host:port` for NGINX_RESOLVER. */
  readonly address: string
  /** Every requested name, in order. */
  readonly asked: readonly string[]
  /** Sets the IPv4 addresses of a name; without addresses it removes the name. */
  set(name: string, ...addresses: string[]): void
  stop(): Promise<void>
}

/** Too long to be trusted: clients must limit it themselves. */
const TTL_SECONDS = 600

export const startDns = async (): Promise<Dns> => {
  // Loaded on demand: most tests do not need it.
  const { Packet, UDPServer } = await import('dns2')
  const addressesOf = new Map<string, readonly string[]>()
  const asked: string[] = []
  const server = new UDPServer((request, send) => {
    const answer = Packet.createResponseFromRequest(request)
    for (const question of request.questions) {
      asked.push(question.name)
      const addresses = addressesOf.get(question.name) ?? []
      if (addresses.length === 0) answer.header.rcode = Packet.RCODE.NXDOMAIN
      else if (question.type === Packet.TYPE.A)
        for (const address of addresses)
          answer.answers.push(Packet.createResourceFromQuestion(question, { address, ttl: TTL_SECONDS }))
    }
    send(answer)
  })
  await server.listen(0, '127.0.0.1')
  const { port } = server.address()
  let stopped: Promise<void> | undefined
  const stop = () => {
    forget()
    stopped ??= new Promise((resolve) => server.close(() => resolve()))
    return stopped
  }
  const forget = onCleanup(stop)
  return {
    address: `127.0.0.1:${port}`,
    asked,
    set: (name, ...addresses) => void addressesOf.set(name, addresses),
    stop,
  }
}
