import { judge, readExpectations, showVerdict } from '../src/load/expect.ts'
import { knownOf } from '../src/load/metric-names.ts'

const known = knownOf(['login', 'inbox'], true)
const read = (text: string) => readExpectations(text, known)

test('conditions are read with their operators and times in milliseconds', () => {
  expect(
    read('confirm.p99<50ms, lost==0,login.rate >= 9.5,deliver.p99.9<=2s,recovery.max!=1m,connected.min>3'),
  ).toEqual([
    { text: 'confirm.p99<50ms', metric: 'confirm.p99', operator: '<', value: 50 },
    { text: 'lost==0', metric: 'lost', operator: '==', value: 0 },
    { text: 'login.rate >= 9.5', metric: 'login.rate', operator: '>=', value: 9.5 },
    { text: 'deliver.p99.9<=2s', metric: 'deliver.p99.9', operator: '<=', value: 2_000 },
    { text: 'recovery.max!=1m', metric: 'recovery.max', operator: '!=', value: 60_000 },
    { text: 'connected.min>3', metric: 'connected.min', operator: '>', value: 3 },
  ])
})

test.each([
  ['confirm.p99', /"confirm.p99" is no condition/],
  ['confirm.p99=<50ms', /"=<50ms"|is no condition/],
  ['', /empty condition/],
  ['lost==0,', /empty condition/],
  ['confirm.p99<50', /"50" needs a unit/],
  ['confirm.p99<soon', /"soon" needs a unit/],
  ['lost==0ms', /lost is a number: "0ms" is none/],
  ['confirm<50ms', /no figure "confirm"/],
  ['confirm.p101<50ms', /no figure "confirm.p101"/],
  ['confirm.most<50ms', /no figure "confirm.most"/],
  // A figure of a scenario that is not run would be met by nothing and by everything.
  ['fanout.p99<50ms', /no figure "fanout.p99" here\. This run has lost, wrong.*login, create/],
])('"%s" is refused in one sentence', (text, sentence) => {
  expect(() => read(text)).toThrow(sentence)
})

test('a run without faults has no recovery to check', () => {
  expect(() => readExpectations('recovery.max<10s', knownOf(['login'], false))).toThrow(/no figure "recovery.max"/)
})

test.each([
  ['lost==0', 0, true],
  ['lost==0', 1, false],
  ['lost!=0', 1, true],
  ['confirm.p99<50ms', 49.9, true],
  ['confirm.p99<50ms', 50, false],
  ['confirm.p99<=50ms', 50, true],
  ['confirm.p99>1s', 1_000, false],
  ['confirm.p99>=1s', 1_000, true],
])('%s of %d: %s', (text, actual, met) => {
  expect(judge(read(text), () => actual)).toMatchObject([{ actual, met }])
})

test('a value that was not measured meets no condition', () => {
  const [verdict] = judge(read('confirm.p99<50ms'), () => undefined)
  expect(verdict).toMatchObject({ met: false })
  expect(verdict && showVerdict(verdict)).toBe('confirm.p99<50ms: not measured')
})
