import { parseArgs } from 'node:util'
import { findAddresses } from '../bench/addresses.ts'
import { formatTable } from '../bench/table.ts'
import { topics } from '../shared/contracts/topics.ts'
import {
  connectDeadLetters,
  type DeadLetterStore,
  type Letter,
  type LetterState,
} from './dead-letter-store.ts'

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

function toState(text: string): LetterState | 'all' {
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

/** What was asked, checked before anything is connected. Gives what to print, as JSON and for people. */
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
      return async (store) => one(await store.replay(id, { again: args.again, note: args.note }))
    }
    case 'discard': {
      const id = onlyId(args)
      if (args.note.trim() === '') throw new UsageError('discard needs --note, which says why')
      return async (store) => one(await store.discard(id, args.note))
    }
    default:
      throw new UsageError(usage)
  }
}

function listPage(found: Letter[], limit: number): [unknown, string] {
  const letters = found.slice(0, limit)
  const next = found.length > limit ? (letters.at(-1)?.id ?? null) : null
  const rows = letters.map(({ id, state, time, topic, group, purchaseId, error }) => [
    ...[id, state, time, topic, group, purchaseId ?? '-'],
    error.split('\n')[0]?.slice(0, 80) ?? '',
  ])
  const header = ['id', 'state', 'time', 'topic', 'group', 'purchase', 'error']
  const lines = [
    ...(rows.length > 0 ? [formatTable([header, ...rows])] : []),
    `${letters.length} of ${found.length}${next ? `; the next with --after ${next}` : ''}`,
  ]
  return [{ items: letters.map(toJson), next_cursor: next }, lines.join('\n')]
}

function one(letter: Letter): [unknown, string] {
  const json = toJson(letter)
  const { headers, value, ...fields } = json
  const lines = Object.entries({ ...fields, ...headers }).map(([name, text]) => [name, text ?? '-'])
  return [json, `${formatTable(lines)}\n\n${value ?? '(no value)'}`]
}

/** Bytes that are no text are told in base64, so that nothing is lost. */
function toJson({ message, purchaseId, ...letter }: Letter) {
  const { key, value, headers = {} } = message
  const isText = (bytes: Buffer | null) => !bytes || Buffer.from(bytes.toString()).equals(bytes)
  return {
    ...letter,
    purchase_id: purchaseId,
    key: key === null ? null : key.toString(isText(key) ? 'utf8' : 'base64'),
    value: value === null ? null : value.toString(isText(value) ? 'utf8' : 'base64'),
    value_encoding: isText(value) ? 'utf8' : 'base64',
    headers: Object.fromEntries(
      Object.entries(headers).map(([name, header]) => [name, String(header)]),
    ),
  }
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
