import { createRequire } from 'node:module'

type RequestQueue = {
  pending: unknown[]
  /** Epoch ms until which the broker wants no more requests; -1: it never said so. */
  throttledUntil: number
  scheduleCheckPendingRequests(): void
}

const { prototype }: { prototype: RequestQueue } = createRequire(import.meta.url)(
  'kafkajs/src/network/requestQueue',
)
const schedule = prototype.scheduleCheckPendingRequests

/**
 * kafkajs 2.2.4 looks after requests that wait with a timer that it always sets again, and whose time is negative when
 * nothing waits: a thousand wakeups a second for each connection, for nothing (tulios/kafkajs#1751). Without requests
 * that wait and without throttling there is nothing to look after; a new request looks by itself.
 */
prototype.scheduleCheckPendingRequests = function scheduleWhenNeeded(this: RequestQueue) {
  if (this.pending.length > 0 || this.throttledUntil > Date.now()) schedule.call(this)
}
