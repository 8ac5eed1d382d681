import { type ServiceName, serviceNames } from '../../../scripts/stack/services.ts'
import type { Customer } from '../../../scripts/stack/shop-client.ts'
import type { Drill } from '../drill.ts'
import { type Profile, profileEnv } from '../profile.ts'
import type { PurchaseRow, Rig } from '../rig.ts'
import { type Result, runDrill } from '../run-drill.ts'
import { type MixedStack, startMixedStack } from './mixed-stack.ts'
import { readUntil } from './reader.ts'
import { type Code, releasedCode, thisCode } from './release.ts'

const perSecond = 10
/** So that some sagas are open for seconds, and undone at last. */
const methods = { sim_declined: 0.1, sim_fail_once: 0.05, sim_timeout: 0.05 }

/** When a service was stopped, and when the one that replaces it was ready. */
type Replacement = { name: ServiceName; from: Date; to: Date }

/** Sagas that began before a service was replaced, and ended after that. */
function openAcross(rows: PurchaseRow[], { from, to }: Replacement): number {
  return rows.filter(({ createdAt, updatedAt }) => createdAt < from && updatedAt > to).length
}

/** Replaces every service in turn, in an order by chance, while customers buy and read. */
async function replaceAll(rig: Rig, shop: MixedStack, code: Code): Promise<void> {
  const replacements: Replacement[] = []
  const { customers, products } = await rig.buyers()
  const [reader] = customers as [Customer]

  async function replacing(): Promise<void> {
    await shop.setUp(code)
    rig.say(`set up for ${code.name}`)
    for (const name of rig.random.pickSome(serviceNames, serviceNames.length)) {
      const from = new Date()
      await shop.replace(name, code)
      const to = new Date()
      replacements.push({ name, from, to })
      rig.say(`${name}: ${code.name}, ready after ${to.getTime() - from.getTime()} ms`)
      await rig.pause(rig.random.between(5, 15) / 10)
    }
    await shop.setUp(code)
    rig.healed()
  }

  const during = replacing()
  const [{ reads, repeated, failed }] = await Promise.all([
    readUntil(during, reader, products[0]?.id ?? ''),
    rig.buy({ during, perSecond, methods }),
    during,
  ])
  rig.say(`${reads} reads, ${repeated} of them asked for more than once`)
  for (const what of failed) rig.require(false, what)
  const rows = await rig.rows()
  const open = replacements.map((each) => [each.name, openAcross(rows, each)] as const)
  rig.say(`sagas open across: ${open.map((pair) => pair.join(' ')).join(', ')}`)
  const across = open.find(([name]) => name === 'orchestrator')?.[1] ?? 0
  rig.require(across > 0, 'no saga was open while the orchestrator was replaced')
}

/**
 * Starts a release, replaces its services by those of this code, and back, with each seed. The reconciler judges after
 * each direction.
 */
export async function runUpgrades(
  options: { from?: string | undefined; seed: number; seeds: number; purchases: number },
  profile: Profile,
  signal: AbortSignal,
): Promise<Result[]> {
  const release = await releasedCode(options.from, console.log)
  const results: Result[] = []
  for (let seed = options.seed; seed < options.seed + options.seeds; seed++) {
    const env = {
      orchestrator: profileEnv(profile),
      account: { RATE_LIMIT_REGISTER: '100000/60' },
    }
    const shop = await startMixedStack(release, env, signal)
    const failed = () => results.some((result) => !result.ok)
    try {
      for (const code of [thisCode, release]) {
        const from = code === thisCode ? release : thisCode
        const drill: Drill = {
          id: code === thisCode ? 'upgrade' : 'downgrade',
          about: `every service of ${from.name} is replaced by ${code.name}`,
          purchases: options.purchases,
          short: options.purchases,
          run: (rig) => replaceAll(rig, shop, code),
        }
        const { deadLetters, ...result } = await runDrill(drill, {
          stack: shop.stack,
          seed,
          purchases: options.purchases,
          short: false,
          profile,
          print: console.log,
          deadLettersBefore: shop.deadLetters,
        })
        shop.deadLetters = deadLetters
        results.push(result)
        if (!result.ok) break
      }
    } finally {
      await shop.close({ keep: failed() })
      if (failed()) console.log(`the data is kept in ${shop.stack.dataDir}`)
    }
  }
  return results
}
