import { parseArgs } from 'node:util'
import { takeBackup } from './backup/take.ts'
import { connectStack } from './stack/client.ts'

/* npm run backup -- <folder>: backs up the running native stack (docs/backup.md). */

try {
  const { positionals } = parseArgs({ allowPositionals: true })
  const [folder] = positionals
  if (!folder || positionals.length !== 1) throw new Error('usage: npm run backup -- <folder>')
  const stack = await connectStack(process.env.STACK_DATA || '.stack')
  const since = performance.now()
  const { taken_at } = await takeBackup(stack, folder, console.log)
  const seconds = ((performance.now() - since) / 1_000).toFixed(1)
  console.log(`${folder} is a backup as of ${taken_at}, taken in ${seconds} s`)
} catch (error) {
  console.error((error as Error).message)
  process.exitCode = 1
}
