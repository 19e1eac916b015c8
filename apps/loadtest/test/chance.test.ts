import { createChance } from '../src/load/chance.ts'

const draw = (seed: number) => {
  const chance = createChance(seed)
  const child = chance.fork()
  return [
    chance.next(),
    chance.between(1, 6),
    chance.pick(['a', 'b', 'c']),
    chance.shuffled([1, 2, 3, 4]),
    child.next(),
    chance.next(),
  ]
}

test('a seed repeats its draws, and another seed draws something else', () => {
  expect(draw(7)).toEqual(draw(7))
  expect(draw(7)).not.toEqual(draw(8))
})

test('draws from a fork do not affect the draws beside it', () => {
  const [idle, busy] = [createChance(1), createChance(1)]
  idle.fork()
  const fork = busy.fork()
  for (let i = 0; i < 10; i++) fork.next()
  expect(busy.next()).toBe(idle.next())
})

test('whole numbers include both ends, and a shuffle has all elements', () => {
  const chance = createChance(3)
  const drawn = new Set(Array.from({ length: 200 }, () => chance.between(2, 4)))
  expect([...drawn].sort()).toEqual([2, 3, 4])
  expect(chance.shuffled([1, 2, 3, 4, 5]).sort()).toEqual([1, 2, 3, 4, 5])
  expect(() => chance.pick([])).toThrow(RangeError)
})
