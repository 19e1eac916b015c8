import type { RedisServer } from '@saoma/testing'
import { errcodes } from '../src/errcodes.ts'
import {
  codePath,
  freshPrefix,
  type Node,
  scene,
  sessionPath,
  startNode,
  startRedis,
  startWechat,
  tokenPath,
} from './nodes.ts'

/** What each errcode means to whoever called, written a second time so that a slip of the table shows. */
const meanings = {
  unavailable: [-1, 44990, 44993, 45009, 45011, 45063, 48006],
  rejected: [40003, 40029, 40163, 40226, 41008, 43101],
  misconfigured: [
    40002, 40013, 40037, 40066, 40097, 40125, 40129, 40164, 40165, 40169, 40212, 40243, 41001, 41002, 41004, 41030,
    43001, 43002, 43003, 44002, 45035, 47001, 47003, 48001, 48004, 50002, 50004, 50007, 61004, 76003, 76021, 76022,
    85079, 85096, 85401, 89503, 89506, 89507,
  ],
}
const cases = Object.entries(meanings).flatMap(([kind, list]) => list.map((errcode) => [errcode, kind] as const))
const refusedTokens = [40001, 40014, 42001]

let server: RedisServer
let simulator: Awaited<ReturnType<typeof startWechat>>
let node: Node

beforeAll(async () => {
  ;[server, simulator] = await Promise.all([startRedis(), startWechat()])
  node = await startNode(server, simulator)
  await node.wechat.codeImage(scene)
})
beforeEach(() => simulator.clearFaults())

test('every errcode of the table is tested here', () => {
  const tested = [...cases.map(([errcode]) => errcode), ...refusedTokens]
  expect(tested.map(String).sort()).toEqual(Object.keys(errcodes).sort())
})

test.each(cases)('%d means %s', async (errcode, kind) => {
  for (const path of [codePath, sessionPath]) await simulator.fault({ path, kind: 'errcode', errcode })
  const answers = [await node.wechat.codeImage(scene), await node.wechat.session('a-code')]
  for (const answer of answers) expect(answer).toMatchObject({ ok: false, kind, errcode })
})

test.each(refusedTokens)('%d renews the access token', async (errcode) => {
  await simulator.fault({ path: codePath, kind: 'errcode', errcode, times: 1 })
  expect(await node.wechat.codeImage(scene)).toMatchObject({ ok: true })
})

test.each(refusedTokens)('%d without an access token to renew means misconfigured', async (errcode) => {
  await simulator.fault({ path: sessionPath, kind: 'errcode', errcode })
  expect(await node.wechat.session('a-code')).toMatchObject({ ok: false, kind: 'misconfigured', errcode })
  await simulator.fault({ path: tokenPath, kind: 'errcode', errcode })
  const cold = await startNode(server, simulator, { prefix: freshPrefix() })
  expect(await cold.wechat.codeImage(scene)).toMatchObject({ ok: false, kind: 'misconfigured', errcode })
})

test('an unknown errcode means unavailable and is not tried again', async () => {
  await simulator.fault({ path: codePath, kind: 'errcode', errcode: 99999, times: 1 })
  expect(await node.wechat.codeImage(scene)).toMatchObject({ ok: false, kind: 'unavailable', errcode: 99999 })
})
