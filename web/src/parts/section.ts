import type { Schemas } from '../api/client.ts'

/** A part of the seller's page that changes a product; `onDone` says what has become of it. */
export type Section = { product: Schemas['ProductWithMedia']; onDone: (text: string) => void }
