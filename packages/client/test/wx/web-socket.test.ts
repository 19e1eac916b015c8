import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { createWx, onCleanup, until } from '@saoma/testing'
import { WebSocketServer } from 'ws'
import type { SocketEvent } from '../../src/wx/socket-events.ts'
import { createWxWebSocket, type WxWebSocket } from '../../src/wx/web-socket.ts'
import { createScriptedWx, type ScriptedTask } from './scripted-wx.ts'

/** A server that gives back what it gets. */
const startEcho = async (): Promise<string> => {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1', handleProtocols: () => 'two' })
  server.on('connection', (socket) => {
    socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }))
  })
  await once(server, 'listening')
  onCleanup(() => {
    for (const socket of server.clients) socket.terminate()
    server.close()
  })
  return `ws://127.0.0.1:${(server.address() as AddressInfo).port}/`
}

const next = (socket: WxWebSocket, type: string) =>
  new Promise<SocketEvent>((resolve) => socket.addEventListener(type, resolve, { once: true }))

/** Names of the events from now on. */
const said = (socket: WxWebSocket): string[] => {
  const events: string[] = []
  for (const type of ['open', 'message', 'error', 'close']) socket.addEventListener(type, () => events.push(type))
  return events
}

/** One socket, what WeChat does with it, and a clock. */
const scripted = (isOpen = true) => {
  const clock = { now: 0 }
  const phone = createScriptedWx()
  const Socket = createWxWebSocket(phone.wx, { now: () => clock.now })
  const socket = new Socket('wss://saoma/')
  const [task] = phone.tasks as [ScriptedTask]
  if (isOpen) task.open()
  return { clock, phone, socket, task, events: said(socket) }
}

test('text and bytes pass unchanged, and a view sends only its own bytes', async () => {
  const Socket = createWxWebSocket(createWx().wx)
  const socket = new Socket(await startEcho(), ['one', 'two'])
  expect(socket).toMatchObject({ readyState: Socket.CONNECTING, binaryType: 'arraybuffer', bufferedAmount: 0 })
  await next(socket, 'open')
  expect(socket).toMatchObject({ readyState: Socket.OPEN, protocol: 'two' })
  for (const data of ['扫码', Uint8Array.of(0, 1, 2, 3).subarray(1, 3), Uint8Array.of(7).buffer]) {
    const answer = next(socket, 'message')
    socket.send(data)
    const bytes = data instanceof ArrayBuffer ? data : ArrayBuffer.isView(data) ? Uint8Array.of(1, 2).buffer : data
    expect((await answer).data).toEqual(bytes)
  }
  const closed = next(socket, 'close')
  socket.close(3_001, 'enough')
  expect(socket.readyState).toBe(Socket.CLOSING)
  expect(await closed).toMatchObject({ code: 3_001, reason: 'enough', wasClean: true })
  expect(socket.readyState).toBe(Socket.CLOSED)
})

test('invalid arguments are refused as by a browser', () => {
  const { socket, phone } = scripted(false)
  const Socket = createWxWebSocket(phone.wx)
  const named = (act: () => unknown) => {
    try {
      return act()
    } catch (error) {
      return (error as Error).name
    }
  }
  expect(named(() => socket.send('early'))).toBe('InvalidStateError')
  expect(named(() => socket.close(1_001))).toBe('InvalidAccessError')
  expect(named(() => socket.close(1_000, '扫'.repeat(42)))).toBe('SyntaxError')
  expect(named(() => new Socket('ftp://saoma/'))).toBe('SyntaxError')
  expect(named(() => new Socket('wss://saoma/', ['a', 'a']))).toBe('SyntaxError')
  expect(named(() => new Socket('wss://saoma/', 'a b'))).toBe('SyntaxError')
  socket.binaryType = 'blob'
  expect(socket).toMatchObject({ binaryType: 'arraybuffer', readyState: Socket.CONNECTING })
  expect(phone.tasks).toHaveLength(1)
})

test('every kind of listener is called, even if another one throws', async () => {
  const errors: unknown[] = []
  const { queueMicrotask } = globalThis
  globalThis.queueMicrotask = (work) =>
    queueMicrotask(() => {
      try {
        work()
      } catch (error) {
        errors.push(error)
      }
    })
  onCleanup(() => {
    globalThis.queueMicrotask = queueMicrotask
  })
  const { socket, task } = scripted()
  const heard: string[] = []
  const wrong = new Error('wrong')
  socket.onmessage = () => {
    throw wrong
  }
  const twice = () => heard.push('function')
  socket.addEventListener('message', twice)
  socket.addEventListener('message', twice)
  socket.addEventListener('message', { handleEvent: () => heard.push('object') })
  socket.addEventListener('message', () => heard.push('once'), { once: true })
  task.message('a')
  socket.removeEventListener('message', twice)
  task.message('b')
  await Promise.resolve()
  expect(heard).toEqual(['function', 'object', 'once', 'object'])
  expect(errors).toEqual([wrong, wrong])
})

test('a close that WeChat never reports still happens, and the task is closed', async () => {
  import.meta.jest.useFakeTimers()
  try {
    const { socket, task, events, phone } = scripted()
    socket.close(1_000, 'bye')
    expect(events).toEqual([])
    import.meta.jest.advanceTimersByTime(3_000)
    expect(events).toEqual(['close'])
    expect(task.closes).toEqual([{ code: 1_000, reason: 'bye' }, {}])
    expect({ timers: import.meta.jest.getTimerCount(), listeners: phone.listeners }).toEqual({
      timers: 0,
      listeners: 0,
    })
  } finally {
    import.meta.jest.useRealTimers()
  }
})

test('sockets end after 5 s in the background and stay open before that', () => {
  const { socket, phone, clock, task, events } = scripted()
  phone.hide()
  clock.now += 4_999
  phone.show()
  expect({ events, readyState: socket.readyState }).toEqual({ events: [], readyState: 1 })
  phone.hide()
  clock.now += 5_000
  phone.show()
  expect(events).toEqual(['close'])
  expect(task.closes).toEqual([{}])
})

test('a task that fails at its next send is closed', () => {
  const { socket, task, events } = scripted()
  task.die()
  socket.send('hello?')
  expect(events).toEqual(['error', 'close'])
  expect(socket.readyState).toBe(3)
  socket.send('nobody there')
})

test('a late event of an old task is ignored', () => {
  const { socket, task, events } = scripted()
  task.close(1_001, 'Stream end encountered')
  task.message('late')
  task.error('late')
  task.close(1_006, 'late')
  socket.close()
  expect(events).toEqual(['close'])
})

test('a socket that was closed before it opened is closed when it opens', async () => {
  const { socket, task, events } = scripted(false)
  const closed = next(socket, 'close')
  socket.close()
  expect(await closed).toMatchObject({ code: 1_006, wasClean: false })
  const before = task.closes.length
  task.open()
  expect(task.closes).toHaveLength(before + 1)
  expect(events).toEqual(['error', 'close'])
})

test.each([
  ['fails', undefined],
  ['throws', new Error('connectSocket is not allowed')],
])('a connection that %s at once is an error and a close, after the constructor returns', async (_how, thrown) => {
  const { wx } = createScriptedWx()
  const Socket = createWxWebSocket({
    ...wx,
    connectSocket: (options) => {
      if (thrown) throw thrown
      options.fail?.({ errMsg: 'connectSocket:fail' })
      return wx.connectSocket(options)
    },
  })
  const socket = new Socket('wss://saoma/')
  const events = said(socket)
  expect(await next(socket, 'close')).toMatchObject({ code: 1_006 })
  expect(events).toEqual(['error', 'close'])
})

test('a sixth socket fails until an unreported end of another is known', async () => {
  const url = await startEcho()
  const phone = createWx()
  const Socket = createWxWebSocket(phone.wx, { now: phone.now })
  const open = async () => {
    const socket = new Socket(url)
    return Promise.race([next(socket, 'open').then(() => socket), next(socket, 'error').then(() => undefined)])
  }
  const five = await Promise.all(Array.from({ length: 5 }, open))
  expect(await open()).toBeUndefined()
  const ends = Promise.all(five.map((socket) => socket && next(socket, 'close')))
  // 30 s, after which WeChat has cut them and says nothing.
  phone.background()
  expect(phone.sockets).toBe(5)
  phone.foreground()
  expect((await ends).map((end) => end?.code)).toEqual(Array(5).fill(1_006))
  expect(phone.sockets).toBe(0)
  expect(await open()).toMatchObject({ readyState: 1 })
})

test('no socket remains of those that were closed while connecting', async () => {
  const url = await startEcho()
  const phone = createWx()
  const Socket = createWxWebSocket(phone.wx)
  for (let round = 0; round < 3; round++) {
    const sockets = Array.from({ length: 5 }, () => new Socket(url))
    for (const socket of sockets) socket.close()
    await until(
      // Each answer comes by the same loop that the sockets wait for.
      () => fetch(url.replace('ws', 'http')).then(() => phone.sockets),
      (count) => count === 0,
    )
  }
  const last = new Socket(url)
  await next(last, 'open')
  expect(phone.sockets).toBe(1)
  last.close()
})
