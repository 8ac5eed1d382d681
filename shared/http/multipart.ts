import type { IncomingMessage } from 'node:http'
import { PassThrough, type Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { finished } from 'node:stream/promises'
import { Dicer } from '@fastify/busboy'
import { decodeExtended, parse as parseDisposition } from 'content-disposition'
import type { Multipart } from '../contracts/route.ts'
import { AppError, invalid } from '../runtime/errors.ts'
import { type RateFloor, ruleOf, watchRate } from './admission/rate-floor.ts'

/** A file as it arrives. Its name comes from the client: use it in messages, never in paths. */
export type FormFile = { name: string; content: AsyncIterable<Buffer> }

/** The fields, and the files one after the other: each has to be read before the next. */
export type FormInput<F> = { fields: F; files: AsyncIterable<FormFile> }

export type FormLimits = {
  maxFiles?: number | undefined
  /** What a client must send; one that is slower gets a 408. */
  rateFloor?: RateFloor | undefined
}

/** `filename` is undefined for a field. */
type Part = { name: string; filename: string | undefined; content: Readable }

const maxFieldBytes = 16_384
/** Slower than any link that people upload over; a stalled client is refused before others need its place. */
const defaultRateFloor = { graceMs: 10_000, bytesPerSecond: 16_384 }
const headerLimits = { maxHeaderPairs: 10, maxHeaderSize: 8_192 }
/** How long an answer waits for a client that still sends a discarded body. */
const drainDeadlineMs = 5_000

/**
 * The boundary in a request's content type, whatever the type is: curl writes `application/json; boundary=…` when it is
 * given a form and a JSON header.
 */
export function boundaryOf(request: IncomingMessage): string | undefined {
  const match = /;\s*boundary=(?:"([^"]+)"|([^;\s]+))/i.exec(request.headers['content-type'] ?? '')
  return match?.[1] ?? match?.[2]
}

/**
 * Reads a form without holding its files in memory: what `work` does not read yet, the client cannot send yet. When
 * `work` fails, the rest of the body is discarded, so that the client gets to read the answer.
 */
export async function withForm<T>(
  request: IncomingMessage,
  contract: Multipart,
  { maxFiles = 1, rateFloor = defaultRateFloor }: FormLimits,
  work: (form: FormInput<Record<string, unknown>>) => Promise<T>,
): Promise<T> {
  const boundary = boundaryOf(request)
  if (boundary === undefined) throw new AppError('invalid', 'the body must be multipart/form-data')
  const maxParts = Object.keys(contract.fields.shape).length + maxFiles
  const parts = new PassThrough({ objectMode: true })
  const open: Readable[] = [parts]
  const fail = (error: Error) => {
    for (const stream of open) stream.destroy(asProblem(error))
  }
  // Errors reach the reader of a file; errors of a file that is no longer read are ignored.
  const ignore = () => undefined
  parts.on('error', ignore)
  const parser = new Dicer({ boundary, ...headerLimits })
  parser.on('part', (content) => {
    open.push(content.on('error', ignore))
    if (open.length - 1 > maxParts) fail(new AppError('too_large', `at most ${maxParts} parts`))
    content.on('header', (header) => {
      if (!parts.destroyed) parts.write({ ...disposition(header), content })
    })
  })
  parser.on('finish', () => parts.end())
  parser.on('error', fail)
  request.on('error', fail)
  request.pipe(parser)
  let tooSlow = false
  const watch = watchRate(request, rateFloor, () => {
    tooSlow = true
    fail(new AppError('request_timeout', `the form came too slowly: ${ruleOf(rateFloor)}`))
  })
  try {
    return await work(await readForm(parts, contract, maxFiles))
  } finally {
    watch[Symbol.dispose]()
    request.unpipe(parser)
    request.resume()
    fail(new Error('the form is closed'))
    if (!tooSlow) {
      const signal = AbortSignal.timeout(drainDeadlineMs)
      await finished(request, { signal }).catch(ignore)
    }
  }
}

/**
 * The names in a part's header. Its type is not looked at: curl writes `attachment` beside a JSON header. A part with a
 * file name in either form (`filename`, `filename*`) is a file. Browsers write names in UTF-8.
 */
function disposition(header: object) {
  const [text = ''] = (header as Record<string, string[]>)['content-disposition'] ?? []
  const { parameters } = parseDisposition(text, { multipart: true, extended: false })
  const extended = parameters['filename*']
  const filename = extended === undefined ? parameters.filename : (decodeExtended(extended) ?? '')
  return {
    name: utf8(parameters.name ?? ''),
    filename: extended === undefined && filename !== undefined ? utf8(filename) : filename,
  }
}

/** The parser hands over headers byte for character. */
function utf8(bytes: string): string {
  return Buffer.from(bytes, 'latin1').toString()
}

async function readForm(parts: AsyncIterable<Part>, contract: Multipart, maxFiles: number) {
  const iterator = parts[Symbol.asyncIterator]()
  const sent = new Map<string, string>()
  let next = await iterator.next()
  for (; !next.done && next.value.filename === undefined; next = await iterator.next()) {
    const { name } = next.value
    if (sent.has(name)) throw broken(name, 'must be given once')
    sent.set(name, await readField(next.value))
  }
  const fields = contract.fields.safeParse(Object.fromEntries(sent))
  if (fields.error) {
    const issues = fields.error.issues.map((issue) =>
      issue.code === 'unrecognized_keys' || sent.has(String(issue.path[0]))
        ? issue
        : { ...issue, message: 'is required, before the files' },
    )
    throw invalid(issues)
  }

  async function* files(): AsyncGenerator<FormFile> {
    let count = 0
    for (; !next.done; next = await iterator.next()) {
      const { name, filename } = next.value
      if (filename === undefined) throw broken(name, 'must come before the files')
      if (name !== contract.files) throw broken(name, 'is not known')
      count += 1
      if (count > maxFiles) throw new AppError('too_large', `at most ${maxFiles} files at once`)
      yield { name: filename, content: contentOf(next.value) }
    }
    if (count === 0) throw broken(contract.files, 'must be at least one file')
  }
  return { fields: fields.data, files: files() }
}

async function readField(part: Part): Promise<string> {
  let bytes = 0
  return text(
    (async function* () {
      for await (const chunk of contentOf(part)) {
        bytes += chunk.length
        if (bytes > maxFieldBytes) throw new AppError('too_large', `${part.name} is too long`)
        yield chunk
      }
    })(),
  )
}

async function* contentOf(part: Part): AsyncGenerator<Buffer> {
  try {
    yield* part.content
  } catch (error) {
    throw asProblem(error)
  }
}

/** Whatever else goes wrong while a body is read is what the client sent, or stopped sending. */
function asProblem(error: unknown): AppError {
  if (error instanceof AppError) return error
  return new AppError('invalid', 'the form is broken or ended too soon', { cause: error })
}

function broken(field: string, rule: string): AppError {
  return new AppError('invalid', `${field}: ${rule}`, { fields: [{ field, rule }] })
}
