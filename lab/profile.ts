/**
 * Variables of a shop in which the tours are taken unattended: times so short that what the defaults show in minutes is
 * seen in seconds.
 */
export const tourEnv = {
  orchestrator: {
    STEP_TIMEOUT_MS: '2000',
    STEP_ATTEMPTS: '8',
    UNDO_PAUSE_MS: '2000',
    REPLY_WAIT_MS: '1000',
  },
  payment: { PROVIDER_TIMEOUT_MS: '500' },
}
