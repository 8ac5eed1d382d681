import { glob, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { commands } from '../../shared/contracts/commands.ts'
import { type EventName, events } from '../../shared/contracts/events.ts'
import { routesByService } from '../../shared/contracts/routes.ts'
import type { CommandName } from '../../shared/contracts/steps.ts'
import type { Topic } from '../../shared/contracts/topics.ts'
import { needs, type ServiceName, serviceNames } from '../stack/services.ts'

/** What one service exchanges with the others, from its sources. */
export type Flows = {
  publishes: Topic[]
  consumes: Topic[]
  /** gRPC services, by the name of their .proto file. */
  serves: string[]
  calls: string[]
  engines: string[]
  hasRoutes: boolean
}

const root = join(import.meta.dirname, '../..')

async function sourcesOf(service: ServiceName): Promise<string> {
  const patterns = [`services/${service}/**/*.ts`]
  if (service === 'orchestrator') patterns.push('activities/*.ts')
  const files = await Array.fromAsync(glob(patterns, { cwd: root }))
  const sources = files.filter((file) => !file.endsWith('.test.ts')).sort()
  return (await Promise.all(sources.map((file) => readFile(join(root, file), 'utf8')))).join('\n')
}

function named(text: string, pattern: RegExp): string[] {
  return [...text.matchAll(pattern)].map(([, name = '']) => name)
}

function unique<T>(values: T[]): T[] {
  return [...new Set(values)].sort()
}

const isEvent = (name: string): name is EventName => Object.hasOwn(events, name)
const isCommand = (name: string): name is CommandName => Object.hasOwn(commands, name)

function flowsIn(text: string, service: ServiceName): Flows {
  const commandTopics = named(text, /\btopic: '([a-z-]+-commands)'/g) as Topic[]
  const handlers = text.match(/function createEventHandlers[\s\S]*?\n}\n/g)?.join('\n') ?? ''
  const handled = named(handlers, /\b(\w+):/g).filter(isEvent)
  const sent = named(text, /\b(?:sendEvent|addToOutbox)\(\s*[\w.]+,\s*'(\w+)'/g).filter(isEvent)
  const asked = named(text, /\bask\(\s*\w+,\s*'(\w+)'/g).filter(isCommand)
  return {
    publishes: unique([
      ...sent.map((name) => events[name].topic),
      ...asked.map((name) => commands[name].topic),
      ...(commandTopics.length > 0 ? (['replies'] as const) : []),
    ]),
    consumes: unique([
      ...commandTopics,
      ...handled.map((name) => events[name].topic),
      ...(named(text, /\btopics: \['([a-z-]+)'\]/g) as Topic[]),
    ]),
    serves: unique(named(text, /startGrpcServer\(\{\s*service: '(\w+)'/g)),
    calls: unique(named(text, /connectGrpc\('(\w+)'/g)),
    engines: needs[service].filter((need) => engineNames.has(need)),
    hasRoutes: Object.hasOwn(routesByService, service),
  }
}

const engineNames = new Set<string>(['postgres', 'redis', 'kafka', 'temporal', 'minio', 'maildev'])

/** Reads the sources of every service: topics, gRPC services and engines. */
export async function readFlows(): Promise<Record<ServiceName, Flows>> {
  const flows = serviceNames.map(async (service) => {
    return [service, flowsIn(await sourcesOf(service), service)] as const
  })
  return Object.fromEntries(await Promise.all(flows)) as Record<ServiceName, Flows>
}
