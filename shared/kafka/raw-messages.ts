import { openTool } from './tool.ts'
import { CompressionTypes, Partitioners } from './vendor.ts'

type HeaderValue = Buffer | string

/** What is sent and read byte for byte, whatever it holds. */
export type RawMessage = {
  key: Buffer | null
  value: Buffer | null
  headers?: Record<string, HeaderValue | HeaderValue[] | undefined>
}

/** A raw message as it lies in its partition. */
export type StoredRawMessage = RawMessage & {
  offset: string
  /** When it was produced, epoch ms, in digits. */
  timestamp: string
}

/** A raw message to send; text is UTF-8, and `partition` wins over the key. */
export type RawOutgoing = {
  key?: Buffer | string | null
  value: Buffer | string | null
  headers?: NonNullable<RawMessage['headers']>
  partition?: number
}

export type RawProducer = Awaited<ReturnType<typeof connectRawProducer>>

/** A producer for tools and tests: it sends one message at a time, as it is told, to the topic of the full name. */
export async function connectRawProducer(brokers: string[]) {
  const producer = openTool(brokers).producer({
    createPartitioner: Partitioners.DefaultPartitioner,
    allowAutoTopicCreation: false,
  })
  await producer.connect()
  return {
    /** Resolves with the message's place when every in-sync replica has it. */
    async send(topic: string, message: RawOutgoing, { gzip = false }: { gzip?: boolean } = {}) {
      const compression = gzip ? CompressionTypes.GZIP : CompressionTypes.None
      const [sent] = await producer.send({ topic, acks: -1, compression, messages: [message] })
      return { partition: sent?.partition, offset: sent?.baseOffset }
    },
    close: () => producer.disconnect(),
  }
}

/** One header as text; '' when it is absent, the last value when there are more. */
export function headerText({ headers }: Pick<RawMessage, 'headers'>, name: string): string {
  const value = headers?.[name]
  return String((Array.isArray(value) ? value.at(-1) : value) ?? '')
}
