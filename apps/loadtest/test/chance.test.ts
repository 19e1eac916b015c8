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

test('a seed draws the same again, and another seed something else', () => {
  expect(draw(7)).toEqual(draw(7))
  expect(draw(7)).not.toEqual(draw(8))
})

test('what is drawn from a fork moves nothing that is drawn beside it', () => {
  const [idle, busy] = [createChance(1), createChance(1)]
  idle.fork()
  const fork = busy.fork()
  for (let i = 0; i < 10; i++) fork.next()
  expect(busy.next()).toBe(idle.next())
})

test('whole numbers have both ends, and a shuffle has all of them', () => {
  const chance = createChance(3)
  const drawn = new Set(Array.from({ length: 200 }, () => chance.between(2, 4)))
  expect([...drawn].sort()).toEqual([2, 3, 4])
  expect(chance.shuffled([1, 2, 3, 4, 5]).sort()).toEqual([1, 2, 3, 4, 5])
  expect(() => chance.pick([])).toThrow(RangeError)
})
