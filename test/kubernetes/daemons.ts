import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { openSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { tied } from '../../scripts/stack/run-command.ts'
import { waitFor } from '../../shared/runtime/wait-for.ts'
import { runFolder } from '../containers/enter.ts'

export const logFolder = join(runFolder, 'logs')
const startDeadlineMs = 180_000
const stopDeadlineMs = 20_000

export type Daemons = Awaited<ReturnType<typeof createDaemons>>

/** Programs that run until the test ends. The first that ends by itself is named by every wait for another. */
export async function createDaemons(env: Record<string, string>) {
  await mkdir(logFolder, { recursive: true })
  const running: { name: string; child: ChildProcess }[] = []

  function start(name: string, program: string, args: string[]): void {
    const log = openSync(join(logFolder, `${name}.log`), 'a')
    const [file, fileArgs] = tied(program, args)
    const stdio: ['ignore', number, number] = ['ignore', log, log]
    running.push({ name, child: spawn(file, fileArgs, { stdio, env: { ...process.env, ...env } }) })
  }

  return {
    start,
    /** Waits for something that the running programs bring about. */
    async waitFor(what: string, condition: () => Promise<unknown>): Promise<void> {
      const ended = () => running.find(({ child }) => child.exitCode ?? child.signalCode)
      const done = await waitFor(
        what,
        async () => ended() ?? (await condition().then(() => true as const)),
        startDeadlineMs,
      )
      if (done !== true) throw new Error(`${done.name} has ended`)
    },
    /** Stops all, the last that was started first. */
    async stop(): Promise<void> {
      for (const { child } of running.splice(0).reverse()) {
        if (child.exitCode !== null || child.signalCode !== null) continue
        child.kill('SIGTERM')
        const stopped = once(child, 'exit', { signal: AbortSignal.timeout(stopDeadlineMs) })
        await stopped.catch(() => child.kill('SIGKILL'))
      }
    },
  }
}
