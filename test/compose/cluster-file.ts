import assert from 'node:assert/strict'
import { isScalar, parseDocument, visit } from 'yaml'
import { readDocument } from '../docs/markdown.ts'
import { type ComposeFile, interpolateAll, readComposeFile } from './compose-file.ts'

export const clusterFile = 'deploy/cluster/docker-compose.yml'

type Values = Record<string, unknown>

/** A file that is laid over another one, and the paths that carry a tag of Compose. */
type Overlay = { values: Values; reset: Set<string>; override: Set<string> }

const pathOf = (keys: readonly string[]) => keys.join(' ')

/** deploy/cluster/docker-compose.yml as written, with anchors and merges resolved. */
async function readClusterOverlay(): Promise<Overlay> {
  const document = parseDocument(await readDocument(clusterFile), { merge: true })
  assert.deepEqual(document.errors, [])
  const tagged: Record<string, Set<string>> = { '!reset': new Set(), '!override': new Set() }
  visit(document, {
    Pair(_, { key, value }, ancestors) {
      const tag = (value as { tag?: string } | null)?.tag
      if (!tag?.startsWith('!')) return
      const keys = ancestors.flatMap((node) =>
        'key' in node && isScalar(node.key) ? [String(node.key.value)] : [],
      )
      const known = tagged[tag]
      assert.ok(known, `${tag} is no tag of Compose`)
      known.add(pathOf([...keys, String((key as { value: unknown }).value)]))
    },
  })
  const values = document.toJS({ maxAliasCount: -1 }) as Values
  const [reset, override] = [tagged['!reset'], tagged['!override']] as [Set<string>, Set<string>]
  return { values, reset, override }
}

const isMapping = (value: unknown): value is Values =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** A list of networks as the mapping that it is short for. */
const asMapping = (value: unknown) =>
  Array.isArray(value) ? Object.fromEntries(value.map((name) => [name, null])) : value

/** The rules of the Compose Specification, as far as the shop's files need them. */
function merge(under: unknown, over: unknown, keys: string[], override: Set<string>): unknown {
  const key = keys.at(-1) ?? ''
  if (under === undefined || override.has(pathOf(keys))) return over
  if (key === 'networks' && keys.length > 1) {
    return { ...(asMapping(under) as Values), ...(asMapping(over) as Values) }
  }
  if (isMapping(under) && isMapping(over)) {
    const merged = Object.entries(over).map(([name, value]) => [
      name,
      merge(under[name], value, [...keys, name], override),
    ])
    return { ...under, ...Object.fromEntries(merged) }
  }
  if (!Array.isArray(under) || ['command', 'entrypoint', 'test'].includes(key)) return over
  const own = over as string[]
  const target = (volume: string) => volume.split(':')[1]
  const kept =
    key === 'volumes' ? under.filter((old) => !own.some((it) => target(it) === target(old))) : under
  return [...new Set([...kept, ...own])]
}

/** Both files as Compose reads them together. */
export async function readClusterFile(): Promise<ComposeFile> {
  const base = await readComposeFile()
  const { values, reset, override } = await readClusterOverlay()
  const services = Object.entries(values.services as Record<string, Values>).map(
    ([name, { extends: extended, ...own } = {}]) => {
      const from = extended as { file: string; service: string } | undefined
      if (!from) return [name, own]
      assert.equal(from.file, 'docker-compose.yml')
      return [name, merge(base.services[from.service], own, ['services', name], override)]
    },
  )
  const over = { ...values, services: Object.fromEntries(services) }
  const merged = merge(base, over, [], override) as ComposeFile
  const left = Object.entries(merged.services).filter(
    ([name]) => !reset.has(pathOf(['services', name])),
  )
  return { ...merged, services: Object.fromEntries(left) }
}

/** The same with variables put in. Throws MissingVariableError. */
export async function resolveClusterFile(env: Record<string, string>): Promise<ComposeFile> {
  return interpolateAll(await readClusterFile(), env) as ComposeFile
}
