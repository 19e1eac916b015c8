import { type Failure, failureFor } from '../src/core/request.ts'
import { createTokens, type TokenSource } from '../src/core/tokens.ts'

const expired = failureFor('TOKEN_EXPIRED')

const prepare = (source: TokenSource) => {
  const ends: Failure[] = []
  return { tokens: createTokens(source, (failure) => ends.push(failure)), ends }
}

/** Gives t1, t2, …, a new one each time it has to. */
const counting = () => {
  const asked: boolean[] = []
  let given = 0
  const source: TokenSource = ({ renew }) => {
    asked.push(renew)
    if (renew || given === 0) given++
    return `t${given}`
  }
  return { asked, source }
}

test('callers that need a token at the same time cause one request', async () => {
  const { asked, source } = counting()
  const { tokens } = prepare(source)
  const answers = await Promise.all([tokens.get(), tokens.get(), tokens.get()])
  expect(answers).toEqual(Array(3).fill({ ok: true, value: 't1' }))
  expect(asked).toEqual([false])
})

test('a refused token is renewed once for all who were refused with it', async () => {
  const { asked, source } = counting()
  const { tokens, ends } = prepare(source)
  await tokens.get()
  expect([tokens.refuse('t1', expired), tokens.refuse('t1', expired)]).toEqual([true, true])
  expect(await tokens.get()).toEqual({ ok: true, value: 't2' })
  // Somebody who was on his way for long.
  tokens.refuse('t1', expired)
  expect(await tokens.get()).toEqual({ ok: true, value: 't2' })
  expect(asked).toEqual([false, true, false])
  expect(ends).toEqual([])
})

test('a request for another token does not get the answer to an earlier request', async () => {
  const { asked, source } = counting()
  const { tokens } = prepare(source)
  const [before, after] = await Promise.all([tokens.get(), tokens.renew()])
  expect([before, after]).toEqual([
    { ok: true, value: 't1' },
    { ok: true, value: 't2' },
  ])
  expect(asked).toEqual([false, true])
})

test('three refused tokens in a row end it; an accepted one resets the count', async () => {
  const { source } = counting()
  const { tokens, ends } = prepare(source)
  for (const token of ['t1', 't2']) {
    expect(await tokens.get()).toEqual({ ok: true, value: token })
    expect(tokens.refuse(token, expired)).toBe(true)
  }
  await tokens.get()
  tokens.accept()
  for (const token of ['t3', 't4']) {
    await tokens.get()
    expect(tokens.refuse(token, expired)).toBe(true)
  }
  await tokens.get()
  expect(ends).toEqual([])
  expect(tokens.refuse('t5', expired)).toBe(false)
  expect(ends).toEqual([expired])
})

test('a revoked session ends it at once', async () => {
  const { source } = counting()
  const { tokens, ends } = prepare(source)
  await tokens.get()
  expect(tokens.refuse('t1', failureFor('REVOKED'))).toBe(false)
  expect(ends).toMatchObject([{ code: 'REVOKED' }])
})

test('a source that fails temporarily is asked again; one that has nothing more ends it', async () => {
  const throwing = prepare(() => Promise.reject(new Error('no route')))
  expect(await throwing.tokens.get()).toMatchObject({ ok: false, react: 'retry' })
  expect(throwing.ends).toEqual([])
  const signedOut = prepare(() => failureFor('UNAUTHORIZED'))
  expect(await signedOut.tokens.get()).toMatchObject({ ok: false, code: 'UNAUTHORIZED' })
  expect(signedOut.ends).toMatchObject([{ code: 'UNAUTHORIZED' }])
})
