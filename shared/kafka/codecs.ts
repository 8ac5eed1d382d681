import { promisify } from 'node:util'
import zlib from 'node:zlib'
import lz4 from 'lz4js'
import snappy from 'snappyjs'

/** What kafkajs wants of a codec: `decompress` to read, `compress` to write. */
type Codec = {
  compress?(encoder: { buffer: Buffer }): Promise<Buffer>
  decompress(bytes: Buffer): Promise<Buffer>
}

/**
 * The most that one batch of records may become. A broker takes 1 MB of a compressed batch, which a codec may turn into
 * gigabytes; honest producers do not fill a batch beyond a few megabytes.
 */
export const maxDecompressedBytes = 32 * 1_048_576

const bounded = { maxOutputLength: maxDecompressedBytes }
const gzip = promisify(zlib.gzip)
const gunzip = promisify<Buffer, zlib.ZlibOptions, Buffer>(zlib.gunzip)
const zstdDecompress = promisify<Buffer, zlib.ZstdOptions, Buffer>(zlib.zstdDecompress)

/** Java's clients cut a batch into blocks after this header, each with its length; others send one bare block. */
const xerialMagic = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0])
const xerialHeaderBytes = 16

function unsnap(bytes: Buffer): Buffer {
  if (!bytes.subarray(0, xerialMagic.length).equals(xerialMagic)) {
    return Buffer.from(snappy.uncompress(bytes, maxDecompressedBytes))
  }
  const blocks: Buffer[] = []
  let left = maxDecompressedBytes
  for (let at = xerialHeaderBytes; at < bytes.length; ) {
    const length = bytes.readInt32BE(at)
    const block = snappy.uncompress(bytes.subarray(at + 4, at + 4 + length), left)
    blocks.push(Buffer.from(block))
    left -= block.length
    at += 4 + length
  }
  return Buffer.concat(blocks)
}

function unlz4(bytes: Buffer): Buffer {
  const target = lz4.makeBuffer(Math.min(Number(lz4.decompressBound(bytes)), maxDecompressedBytes))
  const length = lz4.decompressFrame(bytes, target)
  if (length > target.length) throw new RangeError('the LZ4 frame is larger than it may be')
  return Buffer.from(target.buffer, target.byteOffset, length)
}

/**
 * The codecs of Kafka, each bounded in what it gives; kafkajs itself reads gzip alone, without a bound. The shop
 * compresses nothing that it sends. An encoder is what kafkajs calls a buffer that it has written to.
 */
export const codecs = {
  GZIP: {
    compress: ({ buffer }: { buffer: Buffer }): Promise<Buffer> => gzip(buffer),
    decompress: (bytes: Buffer) => gunzip(bytes, bounded),
  },
  Snappy: { decompress: async (bytes: Buffer) => unsnap(bytes) },
  LZ4: { decompress: async (bytes: Buffer) => unlz4(bytes) },
  ZSTD: { decompress: (bytes: Buffer) => zstdDecompress(bytes, bounded) },
} satisfies Record<string, Codec>
