import { mock } from 'node:test'

const minuteMs = 60_000

/** Runs `work` as if this process's clock had stepped by so many minutes. Timers go on as before. */
export async function stepped<T>(minutes: number, work: () => Promise<T> | T): Promise<T> {
  mock.timers.enable({ apis: ['Date'], now: Date.now() + minutes * minuteMs })
  try {
    return await work()
  } finally {
    mock.timers.reset()
  }
}
