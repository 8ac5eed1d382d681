import { createHash } from 'node:crypto'
import { hashKeyOf } from '../../services/account/keyed-hash.ts'
import { generateSecrets } from '../stack/secrets.ts'
import { type KeyName, KeyStepError, type Step } from './steps.ts'

/*
 * The same steps with variables, as `.env` and the Secrets of Kubernetes hold them. What only the next step needs stays
 * in a variable that no container gets.
 */

type Variables = Record<string, string>
/** What a step sets; undefined removes a variable. */
type Changes = Record<string, string | undefined>
type SigningKey = { kid: string; pem: string; hash_key?: string }

const nextSigningKey = 'JWT_NEXT_SIGNING_KEY'
const nextToken = 'OPERATOR_NEXT_TOKEN'
const operator = 'local'

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')

function need(variables: Variables, name: string): string {
  const value = variables[name]
  if (!value) throw new KeyStepError(`${name} is missing`)
  return value
}

function stepOfJwt(step: Step, variables: Variables): Changes {
  const accepted: Record<string, string> = JSON.parse(need(variables, 'JWT_VERIFY_KEYS'))
  const signing: SigningKey = JSON.parse(need(variables, 'JWT_SIGNING_KEY'))
  switch (step) {
    case 'add': {
      const { kid, publicKey, privateKey } = generateSecrets().jwt
      return {
        JWT_VERIFY_KEYS: JSON.stringify({ ...accepted, [kid]: publicKey }),
        [nextSigningKey]: JSON.stringify({ kid, pem: privateKey }),
      }
    }
    case 'use': {
      const next: SigningKey = JSON.parse(need(variables, nextSigningKey))
      // Codes that were hashed before stay valid.
      const hash_key = signing.hash_key ?? hashKeyOf(signing.pem)
      return { JWT_SIGNING_KEY: JSON.stringify({ ...next, hash_key }), [nextSigningKey]: undefined }
    }
    case 'remove':
      return {
        JWT_VERIFY_KEYS: JSON.stringify({ [signing.kid]: accepted[signing.kid] }),
        [nextSigningKey]: undefined,
      }
  }
}

function stepOfToken(step: Step, variables: Variables): Changes {
  const all: Record<string, string | string[]> = JSON.parse(need(variables, 'OPERATOR_TOKENS'))
  const hashes = (tokens: string[]) => {
    const [first, ...more] = tokens.map(sha256)
    return JSON.stringify({ ...all, [operator]: more.length > 0 ? [first, ...more] : first })
  }
  const current = need(variables, 'OPERATOR_TOKEN')
  switch (step) {
    case 'add': {
      const { operatorToken } = generateSecrets()
      return { OPERATOR_TOKENS: hashes([current, operatorToken]), [nextToken]: operatorToken }
    }
    case 'use':
      return { OPERATOR_TOKEN: need(variables, nextToken), [nextToken]: undefined }
    case 'remove':
      return { OPERATOR_TOKENS: hashes([current]), [nextToken]: undefined }
  }
}

/** A list whose first entry signs or seals, and of which any verifies or opens. */
function stepOfList(step: Step, variables: Variables, name: string, made: () => string): Changes {
  const list = need(variables, name).split(',')
  const [first = '', ...others] = list
  if (step === 'add') return { [name]: [...list, made()].join() }
  if (step === 'remove') return { [name]: first }
  if (others.length === 0) throw new KeyStepError(`${name} has only one entry; add one first`)
  const last = others.pop() ?? ''
  return { [name]: [last, first, ...others].join() }
}

/** What a step changes. `value`: a secret that another company has made. Throws KeyStepError. */
export function changesOf(key: KeyName, step: Step, variables: Variables, value?: string): Changes {
  switch (key) {
    case 'jwt':
      return stepOfJwt(step, variables)
    case 'operator-token':
      return stepOfToken(step, variables)
    case 'operator-sessions':
      return stepOfList(step, variables, 'OPERATOR_SESSION_KEYS', () => {
        return generateSecrets().operatorSessionKey
      })
    case 'code-sealing':
      return stepOfList(
        step,
        variables,
        'CODE_SEALING_KEYS',
        () => generateSecrets().codeSealingKey,
      )
    case 'webhook':
      return stepOfList(step, variables, 'STRIPE_WEBHOOK_SECRETS', () => {
        return value ?? generateSecrets().provider.webhookSecret
      })
    case 'provider':
      if (value) return { STRIPE_API_KEY: value }
      throw new KeyStepError('the provider makes its keys: --value <the new one>')
  }
}

/** The text of an `.env` with changed variables; every other line stays as it is. */
export function withChanges(text: string, changes: Changes): string {
  const left = new Map(Object.entries(changes))
  const lines = text.split('\n').flatMap((line) => {
    const [, name = ''] = /^(\w+)=/.exec(line) ?? []
    if (!left.has(name)) return [line]
    const value = left.get(name)
    left.delete(name)
    return value === undefined ? [] : [toLine(name, value)]
  })
  const added = [...left].flatMap(([name, value]) =>
    value === undefined ? [] : toLine(name, value),
  )
  const end = lines.at(-1) === '' ? lines.length - 1 : lines.length
  return [...lines.slice(0, end), ...added, ''].join('\n')
}

/** In single quotes, so that the line ends within keys stay the \n of their JSON. */
function toLine(name: string, value: string): string {
  if (value.includes("'")) throw new KeyStepError(`${name} must not have a quote`)
  return `${name}='${value}'`
}
