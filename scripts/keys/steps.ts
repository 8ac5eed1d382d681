import { hashKeyOf } from '../../services/account/keyed-hash.ts'
import { generateSecrets, type RotatingKeys, type Secrets } from '../stack/secrets.ts'
import { needs, type ServiceName, serviceNames } from '../stack/services.ts'

/** What can be replaced without a stop, by its name on the command line. */
export const keys = {
  jwt: 'jwt',
  'operator-token': 'operatorToken',
  'operator-sessions': 'operatorSessionKey',
  'code-sealing': 'codeSealingKey',
  provider: 'providerKey',
  webhook: 'webhookSecret',
} as const satisfies Record<string, keyof RotatingKeys>

export type KeyName = keyof typeof keys
export const keyNames = Object.keys(keys) as KeyName[]

/**
 * A new key is first accepted beside the current one, then used, and then the old one is not accepted any more. Each
 * process may be at this step or at the one before, so a step is taken when all processes have taken the last one.
 */
export const steps = ['add', 'use', 'remove'] as const
export type Step = (typeof steps)[number]

const withNeed = (...wanted: string[]): ServiceName[] =>
  serviceNames.filter((name) => needs[name].some((need: string) => wanted.includes(need)))
const verifiers = withNeed('tokens')
const operators = [...withNeed('operators'), 'lab']

/** The processes of a native stack that a step concerns. */
const concerned: Record<KeyName, Record<Step, string[]>> = {
  jwt: { add: verifiers, use: ['account'], remove: verifiers },
  'operator-token': { add: operators, use: ['lab'], remove: operators },
  'operator-sessions': { add: operators, use: ['orchestrator'], remove: operators },
  'code-sealing': { add: ['mail'], use: ['account'], remove: ['mail', 'account'] },
  provider: { add: ['provider'], use: ['payment', 'lab'], remove: ['provider'] },
  webhook: { add: ['payment'], use: ['provider'], remove: ['payment'] },
}

export const processesOf = (key: KeyName, step: Step): string[] => concerned[key][step]

/** A step that does not follow from the last one. */
export class KeyStepError extends Error {
  override name = 'KeyStepError'
}

/** Takes a step with one key of a native stack. Throws KeyStepError. */
export function takeStep(secrets: Secrets, key: KeyName, step: Step): Secrets {
  const name = keys[key]
  const current = currentOf(secrets)
  const { [name]: other, ...rest } = secrets.accepted ?? {}
  if (step === 'add') {
    if (other !== undefined) throw new KeyStepError(`${key}: two are accepted; use or remove one`)
    return { ...secrets, accepted: { ...rest, [name]: currentOf(generateSecrets())[name] } }
  }
  if (other === undefined) throw new KeyStepError(`${key}: only one is accepted; add one first`)
  if (step === 'remove') return { ...secrets, accepted: rest }
  const used = withCurrent(secrets, { ...current, [name]: other })
  const accepted = { ...rest, [name]: current[name] }
  // Codes that were hashed before stay valid.
  const { privateKey, hashKey = hashKeyOf(privateKey) } = current.jwt
  return name === 'jwt'
    ? { ...used, jwt: { ...used.jwt, hashKey }, accepted }
    : { ...used, accepted }
}

function currentOf(secrets: Secrets): RotatingKeys {
  const { jwt, operatorToken, operatorSessionKey, codeSealingKey, provider } = secrets
  const { key: providerKey, webhookSecret } = provider
  return { jwt, operatorToken, operatorSessionKey, codeSealingKey, providerKey, webhookSecret }
}

function withCurrent(
  secrets: Secrets,
  { providerKey, webhookSecret, ...keys }: RotatingKeys,
): Secrets {
  return { ...secrets, ...keys, provider: { key: providerKey, webhookSecret } }
}
