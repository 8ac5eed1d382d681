import type { WriteStream } from 'node:tty'
import cliProgress from 'cli-progress'

export type Progress = ReturnType<typeof createProgress>

/** How often progress is printed if a line cannot be overwritten. */
const printMs = 5_000

type Output = NodeJS.WritableStream & Partial<Pick<WriteStream, 'isTTY'>>

/** A bar per phase on a terminal; elsewhere a line now and then. Silent when `quiet`. */
export function createProgress({
  quiet = false,
  output = process.stderr,
}: {
  quiet?: boolean
  output?: Output
} = {}) {
  const isTerminal = output.isTTY === true
  let bar: cliProgress.SingleBar | undefined
  let current = { phase: '', total: 0 }
  let printedAt = 0

  const print = (line: string) => {
    if (!quiet) output.write(`${line}\n`)
  }

  return {
    start(phase: string, total: number): void {
      current = { phase, total }
      printedAt = Date.now()
      if (quiet || !isTerminal) return
      bar = new cliProgress.SingleBar({
        stream: output,
        format: `${phase.padEnd(9)} {bar} {value}/{total} {detail}`,
        barsize: 24,
        barCompleteChar: '#',
        barIncompleteChar: '.',
        hideCursor: true,
        gracefulExit: false,
      })
      bar.start(total, 0, { detail: '' })
    },
    update(value: number, detail = ''): void {
      bar?.update(value, { detail })
      if (bar || Date.now() - printedAt < printMs) return
      print(`${current.phase} ${value}/${current.total} ${detail}`)
      printedAt = Date.now()
    },
    stop(): void {
      bar?.stop()
      bar = undefined
    },
    /** A line between two phases. */
    say: print,
  }
}
