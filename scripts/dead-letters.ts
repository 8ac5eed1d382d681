import { parseArgs } from 'node:util'
import { ResolutionNote } from '../shared/contracts/dead-letters.ts'
import { topics } from '../shared/contracts/topics.ts'
import {
  connectDeadLetters,
  type DeadLetter,
  type DeadLetterState,
  type DeadLetterStore,
} from '../shared/kafka/dead-letters.ts'
import { pageOfDeadLetters, showDeadLetter } from '../shared/kafka/show-dead-letter.ts'
import { findAddresses } from './stack/addresses.ts'
import { formatTable } from './stack/table.ts'

/*
 * npm run dead-letters -- list|show|replay|discard: see docs/dead-letters.md. Exits 0 when what was asked was done, 1
 * when it could not be, 2 when it was not understood.
 */

const usage = `usage: npm run dead-letters -- <command> [--json] [--brokers host:port,… [--topic-prefix P]]
  list [--state open|replayed|discarded|all] [--topic T] [--purchase ID] [--min-age 10m] [--limit N] [--after ID]
  show ID
  replay ID [--note TEXT] [--again]
  discard ID --note TEXT`

class UsageError extends Error {
  override name = 'UsageError'
}

const states = ['open', 'replayed', 'discarded', 'all'] as const
const unitMs: Record<string, number> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }
const idForm = /^dead-letters\/\d+\/\d+$/

function readArguments(args: string[]) {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      json: { type: 'boolean', default: false },
      brokers: { type: 'string' },
      'topic-prefix': { type: 'string', default: '' },
      state: { type: 'string', default: 'open' },
      topic: { type: 'string' },
      purchase: { type: 'string' },
      'min-age': { type: 'string' },
      limit: { type: 'string', default: '50' },
      after: { type: 'string' },
      note: { type: 'string', default: '' },
      again: { type: 'boolean', default: false },
    },
  })
  return { ...values, command: positionals[0] ?? '', ids: positionals.slice(1) }
}

type Arguments = ReturnType<typeof readArguments>

function toState(text: string): DeadLetterState | 'all' {
  const state = states.find((known) => known === text)
  if (!state) throw new UsageError(`--state must be one of ${states.join(', ')}`)
  return state
}

function toMs(text: string): number {
  const [, number, unit = ''] = /^(\d+)([smhd])$/.exec(text) ?? []
  if (number === undefined) throw new UsageError('--min-age must be like 30s, 10m, 2h or 1d')
  return Number(number) * (unitMs[unit] ?? 0)
}

function toLimit(text: string): number {
  const limit = Number(text)
  if (Number.isInteger(limit) && limit > 0) return limit
  throw new UsageError('--limit must be a positive number')
}

function toTopic(text: string): string {
  if (topics.some((topic) => topic === text)) return text
  throw new UsageError(`--topic must be one of ${topics.join(', ')}`)
}

function onlyId({ command, ids }: Arguments): string {
  const [id = ''] = ids
  if (ids.length === 1 && idForm.test(id)) return id
  throw new UsageError(
    `${command} needs one id, as list shows it: dead-letters/<partition>/<offset>`,
  )
}

/** The parsed command, checked before anything is connected. Returns the output as JSON and as text. */
function plan(args: Arguments): (store: DeadLetterStore) => Promise<[unknown, string]> {
  switch (args.command) {
    case 'list': {
      const filter = {
        state: toState(args.state),
        ...(args.topic !== undefined && { topic: toTopic(args.topic) }),
        ...(args.purchase !== undefined && { purchaseId: args.purchase }),
        ...(args.after !== undefined && { after: args.after }),
        ...(args['min-age'] !== undefined && { minAgeMs: toMs(args['min-age']) }),
      }
      const limit = toLimit(args.limit)
      return async (store) => listPage(await store.list(filter), limit)
    }
    case 'show': {
      const id = onlyId(args)
      return async (store) => one(await store.find(id))
    }
    case 'replay': {
      const id = onlyId(args)
      const note = args.note === '' ? '' : toNote(args.note)
      return async (store) => one(await store.replay(id, { again: args.again, note }))
    }
    case 'discard': {
      const id = onlyId(args)
      if (args.note === '') throw new UsageError('discard needs --note, which says why')
      const note = toNote(args.note)
      return async (store) => one(await store.discard(id, note))
    }
    default:
      throw new UsageError(usage)
  }
}

function toNote(given: string): string {
  const { data, error } = ResolutionNote.safeParse(given)
  if (error) throw new UsageError(`--note ${error.issues[0]?.message}`)
  return data
}

function listPage(found: DeadLetter[], limit: number): [unknown, string] {
  const page = found.slice(0, limit)
  const { items, next_cursor: next } = pageOfDeadLetters(found, limit)
  const rows = items.map(({ id, state, time, topic, group, purchase_id, error }) => [
    ...[id, state, time, topic, group, purchase_id ?? '-'],
    error.split('\n')[0]?.slice(0, 80) ?? '',
  ])
  const header = ['id', 'state', 'time', 'topic', 'group', 'purchase', 'error']
  const lines = [
    ...(rows.length > 0 ? [formatTable([header, ...rows])] : []),
    `${items.length} of ${found.length}${next ? `; the next with --after ${next}` : ''}`,
  ]
  const all = page.map((deadLetter) => showDeadLetter(deadLetter))
  return [{ items: all, next_cursor: next }, lines.join('\n')]
}

function one(deadLetter: DeadLetter): [unknown, string] {
  const json = showDeadLetter(deadLetter)
  const { headers, value, ...fields } = json
  const lines = Object.entries({ ...fields, ...headers }).map(([name, text]) => [
    name,
    `${text ?? '-'}`,
  ])
  return [json, `${formatTable(lines)}\n\n${value ?? '(no value)'}`]
}

async function main(): Promise<void> {
  const args = readArguments(process.argv.slice(2))
  const act = plan(args)
  const brokers = args.brokers?.split(',') ?? (await findAddresses()).kafkaBrokers
  const store = await connectDeadLetters(brokers, args['topic-prefix'])
  try {
    const [json, text] = await act(store)
    console.log(args.json ? JSON.stringify(json, undefined, 2) : text)
  } finally {
    await store.close()
  }
}

try {
  await main()
} catch (error) {
  const { code, message } = error as NodeJS.ErrnoException
  console.error(message)
  process.exitCode = error instanceof UsageError || code?.startsWith('ERR_PARSE_ARGS') ? 2 : 1
}
