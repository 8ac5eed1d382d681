import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Topic } from '../../shared/contracts/topics.ts'
import { connectKafka } from '../../shared/kafka/client.ts'
import type { KafkaConfig } from '../../shared/kafka/config.ts'
import { createLogger } from '../../shared/runtime/logger.ts'
import { createMetrics } from '../../shared/runtime/metrics.ts'

/** `handleMs`: what a message takes. */
type Job = { config: KafkaConfig; group: string; topic: Topic; handleMs: number }

/** A member of a consumer group in a process of its own, which can be stopped and continued. */
export async function startConsumerProcess(job: Job) {
  const child = spawn(process.execPath, [...process.execArgv, import.meta.filename], {
    env: { CONSUMER_JOB: JSON.stringify(job) },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const closed = once(child, 'close')
  const handled: string[] = []
  const joined = Promise.withResolvers<void>()
  let rest = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    const lines = (rest + text).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) {
      if (line === 'joined') joined.resolve()
      else handled.push(line)
    }
  })
  closed.then(() => joined.reject(new Error('the consumer ended')))
  await joined.promise

  return {
    /** The values that it handled, in order. */
    handled,
    signal: (signal: NodeJS.Signals) => child.kill(signal),
    async close() {
      child.kill('SIGKILL')
      await closed
    },
  }
}

async function main({ config, group, topic, handleMs }: Job) {
  const kafka = await connectKafka('member', config, {
    logger: createLogger('member', 'silent'),
    metrics: createMetrics('member'),
  })
  await kafka.consume({
    group,
    topics: [topic],
    async handle({ value }) {
      await sleep(handleMs)
      process.stdout.write(`${value}\n`)
    },
  })
  process.stdout.write('joined\n')
}

if (import.meta.main) await main(JSON.parse(process.env.CONSUMER_JOB ?? ''))
