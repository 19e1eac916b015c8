import { io, type Socket } from 'socket.io-client'
import { createWxTransport } from '../../src/wx/index.ts'
import { createScriptedWx, type ScriptedTask } from './scripted-wx.ts'

const PING_INTERVAL_MS = 25_000
const PING_TIMEOUT_MS = 20_000
const FORTY_FIVE_MINUTES = 45 * 60_000
/** Kinds of packets of Engine.IO, version 4, and of Socket.IO in its messages. */
const [OPEN, PING, PONG, CONNECT] = ['0', '2', '3', '40']

const { jest } = import.meta
/** Ends with the test; nothing of a socket may be left by then. */
const withClock = async (work: () => Promise<void>): Promise<void> => {
  jest.useFakeTimers({ doNotFake: ['nextTick', 'queueMicrotask'] })
  try {
    await work()
    expect(jest.getTimerCount()).toBe(0)
  } finally {
    jest.useRealTimers()
  }
}

/** An Engine.IO server that lets everybody in and pings, until it falls silent. */
const createServer = () => {
  const connections: { task: ScriptedTask; pings: number }[] = []
  let silent = false
  const phone = createScriptedWx((task) => {
    const connection = { task, pings: 0 }
    connections.push(connection)
    setTimeout(() => {
      task.open()
      const handshake = { sid: `s${connections.length}`, upgrades: [], maxPayload: 1_000_000 }
      task.message(
        OPEN + JSON.stringify({ ...handshake, pingInterval: PING_INTERVAL_MS, pingTimeout: PING_TIMEOUT_MS }),
      )
    }, 10)
  })
  const ping = setInterval(() => {
    const last = connections.at(-1)
    if (!last || silent) return
    last.pings++
    last.task.message(PING)
  }, PING_INTERVAL_MS)
  return {
    phone,
    connections,
    fallSilent: () => {
      silent = true
    },
    close: () => clearInterval(ping),
  }
}

const connect = async (server: ReturnType<typeof createServer>): Promise<{ socket: Socket; reasons: string[] }> => {
  const reasons: string[] = []
  const socket = io('wss://saoma/', {
    transports: [createWxTransport(server.phone.wx)],
    forceNew: true,
    reconnection: false,
  })
  socket.on('disconnect', (reason) => reasons.push(reason))
  await jest.advanceTimersByTimeAsync(10)
  const task = server.connections.at(-1)?.task
  expect(task?.sent).toEqual([CONNECT])
  task?.message(`${CONNECT}{"sid":"x"}`)
  await jest.advanceTimersByTimeAsync(0)
  expect(socket.connected).toBe(true)
  return { socket, reasons }
}

// Every ping is answered.
test('45 minutes of heartbeats use one connection and leave nothing behind', () =>
  withClock(async () => {
    const server = createServer()
    const { socket, reasons } = await connect(server)
    const timers = jest.getTimerCount()
    await jest.advanceTimersByTimeAsync(FORTY_FIVE_MINUTES)
    const [first, ...others] = server.connections
    expect(others).toEqual([])
    expect(first?.pings).toBe(FORTY_FIVE_MINUTES / PING_INTERVAL_MS)
    expect(first?.task.sent.slice(1)).toEqual(Array(first?.pings).fill(PONG))
    expect({ reasons, timers: jest.getTimerCount(), listeners: server.phone.listeners }).toEqual({
      reasons: [],
      timers,
      listeners: 2,
    })
    socket.disconnect()
    first?.task.close(1_000, '')
    server.close()
    expect(server.phone.listeners).toBe(0)
  }))

test('a silent server is noticed when its ping is overdue, and its task is closed', () =>
  withClock(async () => {
    const server = createServer()
    const { socket, reasons } = await connect(server)
    await jest.advanceTimersByTimeAsync(2 * PING_INTERVAL_MS)
    server.fallSilent()
    await jest.advanceTimersByTimeAsync(PING_INTERVAL_MS + PING_TIMEOUT_MS - 100)
    expect(reasons).toEqual([])
    await jest.advanceTimersByTimeAsync(100)
    expect(reasons).toEqual(['ping timeout'])
    expect(socket.connected).toBe(false)
    // WeChat never tells that it is over.
    await jest.advanceTimersByTimeAsync(3_000)
    expect(server.connections[0]?.task.closes).toEqual([{}, {}])
    expect(server.phone.listeners).toBe(0)
    server.close()
  }))
