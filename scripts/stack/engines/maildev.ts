import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { StackInfo } from '../client.ts'
import type { ProcessSpec } from '../engine.ts'
import { baseEnv } from '../environment.ts'
import { probeHttp, probeTcp } from '../probe.ts'

const program = join(import.meta.dirname, '../../../node_modules/maildev/dist/bin/maildev.js')

/** Installed by npm. */
export async function install(): Promise<void> {}

export async function prepare(stack: StackInfo): Promise<ProcessSpec[]> {
  const dir = join(stack.dataDir, 'maildev')
  await mkdir(dir, { recursive: true })
  const { smtp, mailUi } = stack.ports
  const args = [
    ...[program, '--ip', '127.0.0.1', '--smtp', `${smtp}`],
    ...['--web-ip', '127.0.0.1', '--web', `${mailUi}`],
    ...['--mail-directory', dir, '--max-emails', '2000'],
  ]
  const probe = async () => {
    await probeTcp(smtp)
    await probeHttp(`${stack.urls.mail}/api/healthz`)
  }
  const ports = [mailUi, smtp]
  const command = process.execPath
  return [
    { name: 'maildev', kind: 'engine', command, args, env: baseEnv(), cwd: dir, ports, probe },
  ]
}
