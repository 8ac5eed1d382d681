import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { run } from '../../scripts/stack/run-command.ts'
import { waitFor } from '../../shared/runtime/wait-for.ts'
import { runFolder } from './enter.ts'

/** Of this network's only device, as slirp4netns always gives it. */
export const ownAddress = '10.0.2.100'

/** Waits for the network that the process outside attaches, and asks its name server. */
export async function useNetwork(): Promise<void> {
  await waitFor('the network', async () =>
    (await readFile('/proc/net/dev', 'utf8')).includes('tap0:'),
  )
  const resolver = join(runFolder, 'resolv.conf')
  await writeFile(resolver, 'nameserver 10.0.2.3\n')
  await run('mount', ['--make-rprivate', '/'])
  await run('mount', ['--bind', resolver, '/etc/resolv.conf'])
}
