import { participants } from '../../../shared/contracts/steps.ts'
import type { Stack } from '../../stack/client.ts'

/** So that one sees a message on its way: on one machine a reply takes some milliseconds. */
const slowMs = 900

/** The participants answer late while `work` runs. */
export async function slowly<T>(stack: Stack, work: () => Promise<T>): Promise<T> {
  const faults = [{ message: 'delay', topics: ['replies'], ms: slowMs }]
  const restart = async (env: Record<string, string>) => {
    for (const name of participants) {
      await stack.configureService(name, env)
      await stack.stopProcess(name)
      await stack.startProcess(name)
    }
  }
  await restart({ FAULTS: JSON.stringify(faults) })
  try {
    return await work()
  } finally {
    await restart({})
  }
}
