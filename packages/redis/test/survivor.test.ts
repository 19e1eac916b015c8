import { fileURLToPath } from 'node:url'
import { plainEnv, startProcess, startRedis, until } from '@saoma/testing'
import { connect, whenReady } from '../src/index.ts'

// No rejection is unhandled.
test('repeated kill -9 and restarts of Redis leave every channel heard', async () => {
  const server = await startRedis()
  const survivor = await startProcess({
    name: 'survivor',
    command: process.execPath,
    args: [fileURLToPath(new URL('./fixtures/survivor.ts', import.meta.url)), server.url],
    env: plainEnv(),
  })
  await survivor.nextLine(({ text }) => text === 'ready')

  for (let outage = 0; outage < 2; outage++) {
    await server.kill('SIGKILL')
    await server.restart()
    const operator = connect({ url: server.url, name: 'operator', onError: () => {} })
    await whenReady(operator, 5_000)
    for (const channel of ['channel-0', 'channel-599']) {
      // Until somebody is there: what it says may belong to the outage before.
      await until(
        () => operator.spublish(channel, 'are you there?'),
        (subscribers) => Number(subscribers) > 0,
      )
      await survivor.nextLine(({ text }) => text === `heard on ${channel}`)
    }
    await survivor.nextLine(({ text }) => text.startsWith('resubscribed'))
    operator.disconnect()
  }

  await survivor.kill('SIGTERM')
  expect(await survivor.exited).toEqual({ code: 0, signal: null })
  expect(survivor.lines.map(({ text }) => text).join('\n')).not.toMatch(/Error|Warning|rejection/i)
})
