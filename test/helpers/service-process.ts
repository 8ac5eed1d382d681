import { spawn } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import type { StackInfo } from '../../scripts/stack/client.ts'
import { serviceEnv } from '../../scripts/stack/service-env.ts'
import type { ServiceName } from '../../scripts/stack/services.ts'
import { waitFor } from '../../shared/runtime/wait-for.ts'

const checkout = path.join(import.meta.dirname, '../..')

/** A service as a process of its own, with this environment only. */
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
    /** Its HTTP port, as soon as it has started. Throws with what it has written when it ends instead. */
    async port(deadlineMs?: number): Promise<number> {
      let ended = false
      void closed.then(() => (ended = true))
      const port = await waitFor(
        `${service} to start`,
        () => /"port":(\d+),"msg":"started"/.exec(output)?.[1] ?? ended,
        deadlineMs,
      )
      if (port === true) throw new Error(`${service} ended before it had started:\n${output}`)
      return Number(port)
    },
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

/** One more replica of a service in a running stack, on ports of its own. */
export function startReplica(
  service: ServiceName,
  stack: StackInfo,
  environment: Record<string, string> = {},
) {
  const env = { ...serviceEnv(service, stack), ...environment }
  const ports = { HTTP_PORT: '0', ...(env.GRPC_PORT && { GRPC_PORT: '0' }) }
  return startServiceProcess(service, { ...env, ...ports })
}
