import { parseArgs } from 'node:util'
import { parts, restoreBackup } from './backup/restore.ts'
import { connectStack } from './stack/client.ts'

/* npm run restore -- <folder> [--only <part>]: restores a backup into the running native stack (docs/backup.md). */

const usage = `usage: npm run restore -- <folder> [--only ${parts.join('|')}]`

try {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { only: { type: 'string' } },
  })
  const [folder] = positionals
  const only = parts.find((part) => part === values.only)
  if (!folder || positionals.length !== 1 || only !== values.only) throw new Error(usage)
  const stack = await connectStack(process.env.STACK_DATA || '.stack')
  await restoreBackup(stack, folder, { only }, console.log)
  console.log('npm run reconcile says what differs')
} catch (error) {
  console.error((error as Error).message)
  process.exitCode = 1
}
