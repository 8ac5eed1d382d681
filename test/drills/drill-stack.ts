import type { StackOptions } from '../../scripts/stack/start.ts'
import { startOwnStack } from '../helpers/own-stack.ts'
import { type Profile, profileEnv } from './profile.ts'

export type DrillStack = Awaited<ReturnType<typeof startDrillStack>>

/** A whole shop to break. */
export async function startDrillStack(
  profile: Profile,
  signal?: AbortSignal,
  options: Pick<StackOptions, 'profile' | 'replicas' | 'log'> = {},
) {
  const own = await startOwnStack({
    ...options,
    env: {
      orchestrator: profileEnv(profile),
      // All customers of all drills have one address.
      account: { RATE_LIMIT_REGISTER: '100000/60' },
    },
    ...(signal && { signal }),
  })
  return {
    ...own,
    /** What the drills before have left in dead-letters. */
    deadLetters: 0,
  }
}
