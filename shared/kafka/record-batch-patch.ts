import { createRequire } from 'node:module'

/** What kafkajs reads an answer of the broker with. */
type Decoder = { buffer: Buffer; offset: number }

type RecordBatch = { lastOffsetDelta: number; records: object[] }

/** A record in the place of a batch that cannot be read. `value` is the batch as it lies in the log. */
export type UnreadableRecord = {
  offset: string
  timestamp: string
  key: null
  value: Buffer
  headers: Record<string, never>
  unreadable: Error
}

/** Where a batch of the log has what: https://kafka.apache.org/documentation/#recordbatch */
const place = { length: 8, lastOffsetDelta: 23, maxTimestamp: 35 }
/** The first offset and the length, which the length does not count. */
const prefixBytes = 12

const require = createRequire(import.meta.url)
const decoderPath = require.resolve('kafkajs/src/protocol/recordBatch/v0/decoder')
const userPath = require.resolve('kafkajs/src/protocol/requests/fetch/v4/decodeMessages')
const decode: (decoder: Decoder) => Promise<RecordBatch> = require(decoderPath)

/**
 * kafkajs 2.2.4 fails a whole fetch when one batch in it cannot be read (tulios/kafkajs#1475): all partitions of the
 * consumer stall, or its process ends, again and again. Here such a batch becomes one record that says so, at the
 * last offset of the batch, and the consumer goes on after it.
 */
async function decodeOrReplace(decoder: Decoder): Promise<RecordBatch> {
  const { buffer, offset: start } = decoder
  try {
    return await decode(decoder)
  } catch (thrown) {
    const error = thrown instanceof Error ? thrown : new Error(String(thrown))
    // The end of an answer may have half a batch, which comes whole with the next.
    if (error.name === 'KafkaJSPartialMessageError') throw error
    const lastOffsetDelta = buffer.readInt32BE(start + place.lastOffsetDelta)
    const end = start + prefixBytes + buffer.readInt32BE(start + place.length)
    decoder.offset = end
    const record: UnreadableRecord & { batchContext: object } = {
      offset: String(buffer.readBigInt64BE(start) + BigInt(lastOffsetDelta)),
      timestamp: String(buffer.readBigInt64BE(start + place.maxTimestamp)),
      key: null,
      value: buffer.subarray(start, end),
      headers: {},
      unreadable: error,
      batchContext: {},
    }
    return { lastOffsetDelta, records: [record] }
  }
}

if (require.cache[userPath])
  throw new Error('kafkajs was loaded before its patch: import vendor.ts')
const loaded = require.cache[decoderPath]
if (!loaded) throw new Error('kafkajs has moved its decoder of record batches')
loaded.exports = decodeOrReplace
