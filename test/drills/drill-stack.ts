import type { StackOptions } from '../../scripts/stack/start.ts'
import { startOwnStack } from '../helpers/own-stack.ts'
import { type Profile, profileEnv } from './profile.ts'

/** All customers of a drill have one address, and keep their first token for as long as it takes. */
export const accountEnv = {
  RATE_LIMIT_REGISTER: '100000/60',
  ACCESS_TOKEN_TTL_SECONDS: `${24 * 60 * 60}`,
}

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
      account: accountEnv,
    },
    ...(signal && { signal }),
  })
  return {
    ...own,
    /** What the drills before have left in dead-letters. */
    deadLetters: 0,
  }
}
