import { AppError } from '../../shared/runtime/errors.ts'

export type DecodeBudget = ReturnType<typeof createDecodeBudget>

type Waiting = { owner: string; bytes: number; begin(): void }

/**
 * Bounds the bytes of decoded images that are in memory at once. An image without room waits, in the order of arrival.
 * One owner has half of the budget at most, unless nothing of theirs is being decoded, so that no owner delays others.
 */
export function createDecodeBudget({ bytes: total, waitMs }: { bytes: number; waitMs: number }) {
  const share = total / 2
  const held = new Map<string, number>()
  const waiting = new Set<Waiting>()
  let used = 0

  const hasShare = ({ owner, bytes }: Waiting) => {
    const own = held.get(owner) ?? 0
    return own === 0 || own + bytes <= share
  }

  /** Small images do not overtake a large one that is first in line, unless it waits for the share of its owner. */
  function beginNext(): void {
    for (const one of waiting) {
      if (!hasShare(one)) continue
      if (used + one.bytes > total) return
      waiting.delete(one)
      used += one.bytes
      held.set(one.owner, (held.get(one.owner) ?? 0) + one.bytes)
      one.begin()
    }
  }

  function release({ owner, bytes }: Waiting): void {
    used -= bytes
    const own = (held.get(owner) ?? 0) - bytes
    if (own > 0) held.set(owner, own)
    else held.delete(owner)
    beginNext()
  }

  return {
    /** What no image may need more of. */
    bytes: total,

    /**
     * Room for so many bytes, until the result is disposed of. Throws AppError('unavailable') when there is none within
     * `waitMs`. More than `bytes` never comes free: ask for no more.
     */
    take(owner: string, bytes: number): Promise<Disposable> {
      return new Promise((resolve, reject) => {
        const one: Waiting = {
          owner,
          bytes,
          begin() {
            clearTimeout(deadline)
            resolve({ [Symbol.dispose]: () => release(one) })
          },
        }
        const deadline = setTimeout(() => {
          waiting.delete(one)
          reject(new AppError('unavailable', 'too many images are read here; try again'))
          beginNext()
        }, waitMs)
        waiting.add(one)
        beginNext()
      })
    },
  }
}
