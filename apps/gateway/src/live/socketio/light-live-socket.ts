import type { IncomingMessage } from 'node:http'
import type { LogEntry, Signal } from '@saoma/channels'
import type { Result } from '@saoma/protocol'
import { WebSocket } from 'ws'
import { type LightKeeper, LightSocket } from '../../transport/light/light-socket.ts'
import { refusal } from '../../transport/refusal.ts'
import { askedBy } from '../../transport/socket/answer-event.ts'
import type { Tcp } from '../../transport/socket/engine.ts'
import type { Endpoint, Notice, NoticeBody } from '../endpoint.ts'
import type { LiveConnection } from '../live-connection.ts'
import type { LiveConnections } from '../live-connections.ts'
import { framesOf, framesOfSignal } from './frames.ts'
import { closeSlowReader } from './slow-reader.ts'

/** The services of the door that all of its clients share. */
export interface LiveKeeper extends LightKeeper {
  readonly connections: Pick<LiveConnections, 'admit' | 'open' | 'close'>
  readonly maxPackets: { person: number; backend: number }
  addressOf(request: IncomingMessage): string
  /** Performs the request of an event and answers it once. Undefined for an event that is none. */
  act(
    name: unknown,
  ): ((connection: LiveConnection, request: unknown, answer: (result: Result<object>) => void) => void) | undefined
}

/** A WebSocket that follows channels and publishes into them, and does nothing else. */
export class LightLiveSocket extends LightSocket<LiveKeeper> implements Endpoint {
  address = ''
  #live: LiveConnection | undefined = undefined
  #cut = false

  override begin(tcp: Tcp, id: string, keeper: LiveKeeper, request: IncomingMessage): void {
    this.address = keeper.addressOf(request)
    super.begin(tcp, id, keeper, request)
  }

  get connection(): string {
    return this.id
  }

  get door(): string {
    return '/socket.io/'
  }

  messages(batch: readonly LogEntry[]): number | 'slow' {
    if (this.#cut) return 'slow'
    this.flush()
    if (this.tcp.writableLength > this.keeper.maxBufferBytes) return this.#cutOff()
    const frames = framesOf(batch)
    if (this.readyState === WebSocket.OPEN) frames.write(this.tcp)
    return frames.size
  }

  isSlow(): boolean {
    if (this.#cut) return true
    return this.bufferedAmount > this.keeper.maxBufferBytes && this.#cutOff() === 'slow'
  }

  signal(signal: Signal): number | 'dropped' {
    this.flush()
    if (this.#cut || this.tcp.writableLength > 0 || this.readyState !== WebSocket.OPEN) return 'dropped'
    const frames = framesOfSignal(signal)
    frames.write(this.tcp)
    return frames.size
  }

  tell<N extends Notice>(notice: N, body: NoticeBody<N>): void {
    this.write(this.keeper.frames.event(notice, body))
  }

  protected override join(auth: unknown): void {
    void this.#enter(auth)
  }

  protected override left(): void {
    const live = this.#live
    this.#live = undefined
    if (live) this.keeper.connections.close(live)
  }

  protected override handle(name: unknown, args: unknown[]): void {
    const live = this.#live
    if (live) void this.#serve(live, name, args)
  }

  async #enter(auth: unknown): Promise<void> {
    const { connections, maxPackets } = this.keeper
    const admitted = await connections.admit(this, auth)
    if (!admitted.ok) return this.refuse(admitted.code, refusal(admitted))
    const live = admitted.value
    if (!this.isOpen) return connections.close(live)
    this.#live = live
    this.admit(maxPackets[live.who.kind])
    connections.open(live)
  }

  async #serve(live: LiveConnection, name: unknown, args: unknown[]): Promise<void> {
    const { request, answer } = askedBy(args)
    const spent = await live.spend()
    if (spent === 'spent') this.keeper.act(name)?.(live, request, answer)
    else if (spent !== 'gone') answer(spent)
  }

  #cutOff(): 'slow' {
    this.#cut = true
    closeSlowReader(this)
    this.gone('forced close')
    return 'slow'
  }
}
