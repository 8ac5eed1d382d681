import { spawn } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { waitFor } from '../../scripts/wait-for.ts'

const checkout = path.join(import.meta.dirname, '../..')

/** A service as a process of its own that sees this environment and no other. */
export function startServiceProcess(service: string, environment: Record<string, string>) {
  const child = spawn(process.execPath, [`services/${service}/main.ts`], {
    cwd: checkout,
    env: environment,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
  }
  const closed = once(child, 'close')

  return {
    /** All that it has written. */
    output: () => output,
    /** Its HTTP port, as soon as it has started. */
    port: (deadlineMs?: number) =>
      waitFor(
        `${service} to start`,
        () => {
          const port = /"port":(\d+),"msg":"started"/.exec(output)?.[1]
          return port === undefined ? undefined : Number(port)
        },
        deadlineMs,
      ),
    /** Its exit code; null when a signal ended it. */
    exited: async (): Promise<number | null> => (await closed)[0],
    /** Asks it to end. */
    stop: () => child.kill('SIGTERM'),
    /** Ends it, if it still runs. */
    async close() {
      child.kill('SIGKILL')
      await closed
    },
  }
}
