import assert from 'node:assert/strict'
import { parse } from 'yaml'
import { composeEnv } from '../../scripts/compose-env.ts'
import { readDocument } from '../docs/markdown.ts'

export type ComposeService = {
  image: string
  build?: string
  pull_policy?: string
  user?: string
  command?: string[]
  entrypoint?: string[]
  environment?: Record<string, string | number>
  depends_on?: Record<string, { condition: string; required?: boolean }>
  profiles?: string[]
  ports?: string[]
  expose?: string[]
  volumes?: string[]
  networks: string[] | Record<string, { ipv4_address: string }>
  healthcheck?: { test?: string[]; disable?: boolean; interval?: string; start_interval?: string }
  restart?: string
  stop_signal?: string
  mem_limit?: string
  cap_drop?: string[]
  security_opt?: string[]
  read_only?: boolean
  tmpfs?: string[]
  logging?: { options: Record<string, string> }
}

export type ComposeFile = {
  services: Record<string, ComposeService>
  networks: Record<string, { internal?: boolean }>
  volumes: Record<string, object>
}

/** Thrown for a variable that has no default and is not set. */
export class MissingVariableError extends Error {
  override name = 'MissingVariableError'
}

/** Puts variables in, as Compose does. */
function interpolate(text: string, env: Record<string, string>): string {
  return text.replace(
    /\$\$|\$\{(\w+)(?:(:-|:\?)([^}]*))?\}/g,
    (all, name: string | undefined, operator: string | undefined, word: string | undefined) => {
      if (all === '$$' || name === undefined) return '$'
      const value = env[name]
      if (value) return value
      if (operator === ':-') return word ?? ''
      throw new MissingVariableError(name)
    },
  )
}

/** The same in every text of a file. */
export function interpolateAll(value: unknown, env: Record<string, string>): unknown {
  if (typeof value === 'string') return interpolate(value, env)
  if (Array.isArray(value)) return value.map((item) => interpolateAll(item, env))
  if (value === null || typeof value !== 'object') return value
  const entries = Object.entries(value).map(([key, item]) => [key, interpolateAll(item, env)])
  return Object.fromEntries(entries)
}

/** The .env that `npm run compose-secrets` writes, read as Compose reads it. */
export function freshEnv(): Record<string, string> {
  const lines = composeEnv().trim().split('\n')
  return Object.fromEntries(
    lines.map((line) => {
      const [, name = '', value = ''] = /^(\w+)='([^']*)'$/.exec(line) ?? []
      assert.ok(name, 'a line of .env is no assignment')
      return [name, value]
    }),
  )
}

let parsed: Promise<ComposeFile> | undefined

/** docker-compose.yml as written, with anchors and merges resolved. Do not change it: it is parsed once. */
export function readComposeFile(): Promise<ComposeFile> {
  // The limit of aliases protects from untrusted files.
  parsed ??= readDocument('docker-compose.yml').then((text) =>
    parse(text, { merge: true, maxAliasCount: -1 }),
  )
  return parsed
}

/** docker-compose.yml with variables put in. Throws MissingVariableError. */
export async function resolveComposeFile(env: Record<string, string>): Promise<ComposeFile> {
  return interpolateAll(await readComposeFile(), env) as ComposeFile
}

/** A size such as 512m or 1g, in MB. */
export function megabytes(size: string): number {
  const [, number, unit] = /^(\d+)([mg])$/.exec(size) ?? []
  assert.ok(number, `${size} is no size`)
  return Number(number) * (unit === 'g' ? 1024 : 1)
}

/** Runs the image that is built from this checkout. */
export const isOurs = (service: ComposeService) => service.image.startsWith('saga-orchestration:')

/** A one-shot: it runs once and is done. */
export const isJob = (service: ComposeService) => service.restart === 'no'
