/**
 * Knows which offset of one partition may be committed while its messages finish in any order: the end of the
 * contiguous finished prefix, so that nothing unfinished is ever skipped after a crash.
 */
export function createOffsetTracker() {
  const unfinished: bigint[] = []
  const finished = new Set<bigint>()
  let next: bigint | undefined
  let committed: bigint | undefined

  return {
    started(offset: bigint): void {
      unfinished.push(offset)
    },
    finished(offset: bigint): void {
      finished.add(offset)
      while (unfinished[0] !== undefined && finished.delete(unfinished[0])) {
        next = (unfinished.shift() as bigint) + 1n
      }
    },
    /** The offset to commit (of the next message to read), or undefined when that is committed already. */
    committable(): bigint | undefined {
      return next === committed ? undefined : next
    },
    committed(offset: bigint): void {
      committed = offset
    },
  }
}
