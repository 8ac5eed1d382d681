/** The time limits of the saga that a drill runs with. */
export type Profile = { stepTimeoutMs: number; stepAttempts: number; undoPauseMs: number }

/** `drill` is short, so that what a fault leaves behind ends soon; `production` is the services' defaults. */
export const profiles = {
  drill: { stepTimeoutMs: 2_000, stepAttempts: 5, undoPauseMs: 1_000 },
  production: { stepTimeoutMs: 10_000, stepAttempts: 3, undoPauseMs: 30_000 },
} satisfies Record<string, Profile>

export type ProfileName = keyof typeof profiles

/** What the orchestrator is given. */
export function profileEnv({ stepTimeoutMs, stepAttempts, undoPauseMs }: Profile) {
  return {
    STEP_TIMEOUT_MS: `${stepTimeoutMs}`,
    STEP_ATTEMPTS: `${stepAttempts}`,
    UNDO_PAUSE_MS: `${undoPauseMs}`,
  }
}

/** All attempts of a step together. */
export function scheduleToCloseMs({ stepTimeoutMs, stepAttempts }: Profile): number {
  return (stepTimeoutMs + 500) * stepAttempts
}
