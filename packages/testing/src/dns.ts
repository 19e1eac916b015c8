import { onCleanup } from './cleanup.ts'

/** A DNS server on the loopback interface that knows the addresses it is told, as a cluster's own does. */
export interface Dns {
  /** `host:port` for NGINX_RESOLVER. */
  readonly address: string
  /** Every name it was asked for, in order. */
  readonly asked: readonly string[]
  /** IPv4 addresses of a name; none takes the name away. */
  set(name: string, ...addresses: string[]): void
  stop(): Promise<void>
}

/** Longer than anybody should believe it: who asks has to bound that himself. */
const TTL_SECONDS = 600

export const startDns = async (): Promise<Dns> => {
  // Loaded when it is wanted: most tests want none of it.
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
