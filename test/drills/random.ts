import { uniformInt } from 'pure-rand/distribution/uniformInt'
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus'

export type Random = ReturnType<typeof createRandom>

/** The random choices of a drill: the same for the same seed. */
export function createRandom(seed: number) {
  const generator = xoroshiro128plus(seed)
  const between = (low: number, high: number) => uniformInt(generator, low, high)

  function pick<T>(items: readonly T[]): T {
    const item = items[between(0, items.length - 1)]
    if (item === undefined) throw new Error('there is nothing to pick from')
    return item
  }

  return {
    /** A whole number, both ends included. */
    between,
    chance: (probability: number) => between(0, 999_999) < probability * 1_000_000,
    pick,
    /** This many different items, or all of them. */
    pickSome<T>(items: readonly T[], count: number): T[] {
      const rest = [...items]
      const wanted = Math.min(count, rest.length)
      return Array.from({ length: wanted }, () => {
        const item = pick(rest)
        rest.splice(rest.indexOf(item), 1)
        return item
      })
    },
  }
}
