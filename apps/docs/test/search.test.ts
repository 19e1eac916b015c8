import { tokenize, tokenizeQuery, weightOf } from '../src/search.ts'

test('Chinese is cut into pairs of characters, all else into words', () => {
  expect(tokenize('扫码登录, createSession 2.0')).toEqual(['扫码', '码登', '登录', '录', 'createSession', '2', '0'])
  expect(tokenize('用OAuth令牌')).toEqual(['用', 'OAuth', '令牌', '牌'])
})

test('whatever is looked for is among the words of the text, by its beginning', () => {
  const words = tokenize('网页显示二维码，手机扫码并确认。')
  for (const query of ['扫码', '二维码', '确认', '确', '认', '手机扫码'])
    for (const word of tokenizeQuery(query)) expect(words.filter((one) => one.startsWith(word))).not.toEqual([])
  expect(words.some((word) => word.startsWith('码手'))).toBe(false)
})

test('a single character is looked for as it is, and two are not looked for apart', () => {
  expect(tokenizeQuery('扫')).toEqual(['扫'])
  expect(tokenizeQuery('扫码 login')).toEqual(['扫码', 'login'])
})

test('the functions work as text, which is how the site carries them', () => {
  for (const one of [tokenize, tokenizeQuery, weightOf]) {
    const made = new Function(`return ${one.toString()}`)() as typeof one
    expect(made('/login#扫码')).toEqual(one('/login#扫码' as never))
  }
})

test('pages that explain come first', () => {
  expect(weightOf('/manual/login#refresh')).toBe(1)
  expect(weightOf('/manual/api/client/functions/createSession')).toBeLessThan(1)
  expect(weightOf('/manual/decisions#d6')).toBeLessThan(1)
})
