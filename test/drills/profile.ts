/** The time limits of the saga that a drill runs with. */
export type Profile = {
  stepTimeoutMs: number
  stepAttempts: number
  undoPauseMs: number
  replyWaitMs: number
}

/** `drill` has short times, so that purchases end soon after a fault; `production` has the services' defaults. */
export const profiles = {
  drill: { stepTimeoutMs: 2_000, stepAttempts: 5, undoPauseMs: 1_000, replyWaitMs: 1_000 },
  production: { stepTimeoutMs: 10_000, stepAttempts: 3, undoPauseMs: 30_000, replyWaitMs: 5_000 },
} satisfies Record<string, Profile>

export type ProfileName = keyof typeof profiles

/** What the orchestrator is given. */
export function profileEnv(profile: Profile) {
  return {
    STEP_TIMEOUT_MS: `${profile.stepTimeoutMs}`,
    STEP_ATTEMPTS: `${profile.stepAttempts}`,
    UNDO_PAUSE_MS: `${profile.undoPauseMs}`,
    REPLY_WAIT_MS: `${profile.replyWaitMs}`,
  }
}

/** All attempts of a step together, in the process and by id. */
export function scheduleToCloseMs({ replyWaitMs, stepTimeoutMs, stepAttempts }: Profile): number {
  return replyWaitMs + (stepTimeoutMs + 500) * stepAttempts
}
