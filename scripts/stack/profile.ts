import { existsSync } from 'node:fs'
import { join } from 'node:path'

/** What a stack runs: one of each engine, or clusters of them (docs/cluster.md). */
export type StackProfile = 'single' | 'cluster'

/** Where a cluster's engines keep their data. */
export function clusterDir(dataDir: string): string {
  return join(dataDir, 'cluster')
}

/** Reads STACK_PROFILE. Throws with what is wrong. */
export function parseProfile(text: string): StackProfile {
  if (text === '' || text === 'single') return 'single'
  if (text === 'cluster') return 'cluster'
  throw new Error(`STACK_PROFILE is single or cluster, not ${text}`)
}

/**
 * Throws if a data folder belongs to the other profile: what only one of them has, such as orders, would no longer fit
 * what both have, such as the ledger of the provider.
 */
export function checkProfile(dataDir: string, profile: StackProfile): void {
  const other = profile === 'cluster' ? join(dataDir, 'postgres') : clusterDir(dataDir)
  if (!existsSync(other)) return
  const its = profile === 'cluster' ? 'single' : 'cluster'
  throw new Error(`${dataDir} has data of STACK_PROFILE=${its}: set it, or STACK_DATA`)
}
