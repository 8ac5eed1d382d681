import { mock } from 'node:test'

const minuteMs = 60_000

/** Runs `work` with the clock of this process moved by this many minutes. Timers are not affected. */
export async function stepped<T>(minutes: number, work: () => Promise<T> | T): Promise<T> {
  mock.timers.enable({ apis: ['Date'], now: Date.now() + minutes * minuteMs })
  try {
    return await work()
  } finally {
    mock.timers.reset()
  }
}
