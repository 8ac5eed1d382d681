import { LRUCache } from 'lru-cache'
import { tracing } from '../runtime/tracing.ts'
import type { Message } from './bus.ts'

const header = 'traceparent'
/** A message that is handled this much later begins a trace of its own, with a link to the one that sent it. */
const lateAfterMs = 60_000

/** The traces of purchases that wait here for another turn. One that is evicted continues in another trace. */
const remembered = new LRUCache<string, string>({ max: 10_000 })

type Headers = Record<string, unknown>

/** The message as a part of the trace that runs here, or of the one that its purchase began. */
export function withTrace<M extends { headers?: Headers | undefined }>(message: M): M {
  const traces = tracing()
  if (!traces) return message
  const traceparent = traces.current() ?? remembered.get(String(message.headers?.purchase_id))
  if (traceparent === undefined) return message
  return { ...message, headers: { ...message.headers, [header]: traceparent } }
}

/** Handles a message in a span of its own for each attempt, as a part of the trace that sent it. */
export function inMessageSpan(
  message: Message,
  group: string,
  work: () => Promise<void>,
): Promise<void> {
  const traces = tracing()
  if (!traces) return work()
  const { topic, partition, offset, headers, timestamp } = message
  const { purchase_id, command, command_id, event } = headers
  const options = {
    kind: 'consumer',
    parent: headers[header] ?? '',
    isLate: Date.now() - timestamp > lateAfterMs,
    attributes: {
      'messaging.system': 'kafka',
      'messaging.destination.name': topic,
      'messaging.consumer.group.name': group,
      'messaging.destination.partition.id': String(partition),
      'messaging.kafka.message.offset': offset,
      ...{ purchase_id, command_id },
    },
  } as const
  return traces.span(`${group} ${command ?? event ?? topic}`, options, () => {
    if (purchase_id) rememberTrace(purchase_id)
    return work()
  })
}

/** Notes that what is later done for a purchase in this process belongs to the trace that runs now. */
export function rememberTrace(purchaseId: string): void {
  const traceparent = tracing()?.current()
  if (traceparent) remembered.set(purchaseId, traceparent)
}

/** Continues with a purchase in the trace that was noted for it. */
export function inTraceOf<T>(purchaseId: string | undefined, work: () => T): T {
  const traceparent = purchaseId && remembered.get(purchaseId)
  const traces = tracing()
  return traces && traceparent ? traces.within(traceparent, work) : work()
}
