import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { reconcile } from '../bench/reconcile.ts'
import { createLab } from '../lab/lab.ts'
import { tourEnv } from '../lab/profile.ts'
import { type TourName, tourNames } from '../shared/contracts/lab.ts'
import { createLogger } from '../shared/runtime/logger.ts'
import { addressesOf } from './stack/addresses.ts'
import { startStack } from './stack/start.ts'

/*
 * npm run lab -- --tour [--short] [NAME …]: takes the tours of the failure lab on a shop of its own, unattended. Exits
 * 1 if an invariant did not hold, 2 if it was not understood.
 */

const usage = `npm run lab -- --tour [--short] [${tourNames.join('|')} …]`
const reconcileSeconds = 120

function readArguments(): { names: TourName[]; short: boolean } {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      tour: { type: 'boolean', default: false },
      // Fewer buyers and shorter faults.
      short: { type: 'boolean', default: false },
    },
  })
  const unknown = positionals.filter((name) => !tourNames.some((known) => known === name))
  if (!values.tour || unknown.length > 0) {
    console.error(usage)
    process.exit(2)
  }
  const names = positionals.length > 0 ? (positionals as TourName[]) : [...tourNames]
  return { names, short: values.short }
}

async function takeTours({ names, short }: ReturnType<typeof readArguments>): Promise<boolean> {
  const interrupt = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => interrupt.abort(new Error(`ended by ${signal}`)))
  }
  const dataDir = await mkdtemp(join(tmpdir(), 'saga-lab-'))
  const { signal } = interrupt
  const stack = await startStack({ dataDir, portOffset: 'free', env: tourEnv, signal })
  const addresses = addressesOf(stack)
  const lab = createLab({
    api: addresses.api,
    databases: addresses.databases,
    provider: addresses.provider,
    operatorApi: { url: stack.urls.operators, token: stack.secrets.operatorToken },
    stack,
    logger: createLogger('lab', 'error'),
  })
  let ok = true
  try {
    for (const name of names) {
      const startedAt = Date.now()
      console.log(`\n${name}`)
      const held = await lab.tour(name, short, (line) => console.log(`  ${line}`))
      const report = await reconcile(addresses, { waitSeconds: reconcileSeconds })
      const broken = report.checks.filter((check) => !check.ok)
      for (const check of broken) console.log(`  VIOLATED ${check.name}: ${check.detail}`)
      const good = held && report.ok
      const seconds = Math.round((Date.now() - startedAt) / 1_000)
      console.log(
        `  ${good ? 'the invariants hold' : 'the invariants are VIOLATED'} after ${seconds} s`,
      )
      ok &&= good
    }
  } finally {
    await lab.close()
    await stack.stop()
    if (ok) await rm(dataDir, { recursive: true, force: true })
    else console.log(`the data is kept in ${dataDir}`)
  }
  return ok
}

try {
  if (!(await takeTours(readArguments()))) process.exitCode = 1
} catch (error) {
  console.error((error as Error).message)
  process.exitCode = 1
}
process.exit()
