import { serviceNames } from '../../../scripts/stack/services.ts'
import { startDrillStack } from '../drill-stack.ts'
import type { Profile } from '../profile.ts'
import { type Result, runDrill } from '../run-drill.ts'
import { clusterDrills } from './drills.ts'

/** The drills on a cluster of each engine, with one, two and three replicas of every service. */
export async function runClusterDrills(
  options: {
    seed: number
    seeds: number
    purchases: number
    short: boolean
    only: string[]
    replicas: number[]
  },
  profile: Profile,
  signal: AbortSignal,
): Promise<Result[]> {
  const chosen = clusterDrills.filter(
    ({ id }) => options.only.length === 0 || options.only.includes(id),
  )
  const results: Result[] = []
  for (const count of options.replicas) {
    const replicas = Object.fromEntries(serviceNames.map((name) => [name, count]))
    const start = () => startDrillStack(profile, signal, { profile: 'cluster', replicas })
    let own: Awaited<ReturnType<typeof start>> | undefined
    try {
      for (const drill of chosen) {
        for (let seed = options.seed; seed < options.seed + options.seeds; seed++) {
          own ??= await start()
          const purchases = options.short ? drill.short : options.purchases
          const { deadLetters, ...result } = await runDrill(
            { ...drill, id: `${drill.id}/${count}` },
            {
              stack: own.stack,
              seed,
              purchases,
              short: options.short,
              profile,
              print: console.log,
              deadLettersBefore: own.deadLetters,
            },
          )
          own.deadLetters = deadLetters
          results.push(result)
          if (result.ok) continue
          console.log(`the data is kept in ${own.stack.dataDir}`)
          await own.close({ keep: true })
          own = undefined
        }
      }
    } finally {
      await own?.close()
    }
  }
  return results
}
