import type { Stack } from '../stack/client.ts'
import { loadSecrets, saveSecrets } from '../stack/secrets.ts'
import { type KeyName, processesOf, type Step, takeStep } from './steps.ts'

/** A running process, and the name without the number of its replica. */
const baseOf = (process: string) => process.replace(/-\d+$/, '')

/**
 * Restarts processes one after the other, each when the one before is ready again, so that a service with replicas
 * always answers. Resolves with how many there were.
 */
async function restartInTurn(stack: Stack, names: string[]): Promise<number> {
  const { processes } = await stack.status()
  const found = processes.map(({ name }) => name).filter((name) => names.includes(baseOf(name)))
  for (const name of found) {
    await stack.stopProcess(name)
    await stack.startProcess(name)
  }
  return found.length
}

/** Takes a step with a key of a running stack, and resolves with how many processes were restarted for it. */
export async function rotate(stack: Stack, key: KeyName, step: Step): Promise<number> {
  await saveSecrets(stack.dataDir, takeStep(await loadSecrets(stack.dataDir), key, step))
  await stack.reloadSecrets()
  return restartInTurn(stack, processesOf(key, step))
}
