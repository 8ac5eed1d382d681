import { createHash } from 'node:crypto'
import { fileTypeFromBuffer } from 'file-type'
import type { MediaKind } from '../../shared/contracts/media.ts'
import type { FormFile } from '../../shared/http/multipart.ts'
import { AppError } from '../../shared/runtime/errors.ts'

export type FileType = { kind: MediaKind; contentType: string }

/** What a file is by its first bytes, whatever its name and its part's content type say. */
const types: Record<string, FileType> = {
  'image/png': { kind: 'image', contentType: 'image/png' },
  'image/apng': { kind: 'image', contentType: 'image/png' },
  'image/jpeg': { kind: 'image', contentType: 'image/jpeg' },
  'video/mp4': { kind: 'video', contentType: 'video/mp4' },
  // The same container under Apple's brand.
  'video/x-m4v': { kind: 'video', contentType: 'video/mp4' },
}
/** As much as file-type looks at. */
const sampleBytes = 4_100

/** A file of an upload whose type is known. `refuse` throws the AppError that names it and the rule that it breaks. */
export type SniffedFile = FileType & {
  content: AsyncIterable<Buffer>
  refuse(rule: string, kind?: 'unprocessable' | 'too_large'): never
}

/** Reads as much of a file as shows its type. Throws AppError('unprocessable') when it is nothing that is taken. */
export async function sniff(file: FormFile, field: string): Promise<SniffedFile> {
  const chunks = file.content[Symbol.asyncIterator]()
  const read: Buffer[] = []
  let length = 0
  while (length < sampleBytes) {
    const { done, value } = await chunks.next()
    if (done) break
    read.push(value)
    length += value.length
  }
  const head = Buffer.concat(read)
  const refuse: SniffedFile['refuse'] = (rule, kind = 'unprocessable') => {
    throw new AppError(kind, `${field} (${file.name.slice(0, 100)}) ${rule}`, {
      fields: [{ field, rule }],
    })
  }
  const found = await fileTypeFromBuffer(head.subarray(0, sampleBytes))
  const type = types[found?.mime ?? ''] ?? refuse('is not a png, jpg, jpeg or mp4')
  return { ...type, content: joined(head, chunks), refuse }
}

async function* joined(head: Buffer, rest: AsyncIterator<Buffer>): AsyncGenerator<Buffer> {
  yield head
  for (let next = await rest.next(); !next.done; next = await rest.next()) yield next.value
}

/** Passes a file's content on, and refuses it at the limit. */
export async function* bounded(file: SniffedFile, maxBytes: number): AsyncGenerator<Buffer> {
  let bytes = 0
  for await (const chunk of file.content) {
    bytes += chunk.length
    if (bytes > maxBytes) file.refuse(`has more than ${maxBytes} bytes`, 'too_large')
    yield chunk
  }
}

/** Counts and hashes what is stored. */
export function createMeasure() {
  const hash = createHash('sha256')
  let bytes = 0
  return {
    add(chunk: Buffer): void {
      bytes += chunk.length
      hash.update(chunk)
    },
    result: () => ({ sizeBytes: BigInt(bytes), checksum: hash.digest('hex') }),
  }
}
