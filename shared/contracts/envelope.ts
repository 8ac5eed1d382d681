import { z } from 'zod'
import { anyCommandNames } from './steps.ts'
import { storable } from './text.ts'

const maxIdCharacters = 255
const id = storable(maxIdCharacters).min(1)

/**
 * The headers of a command, and of its reply. `workflow_id`, `run_id` and `activity_id` let any replica of the
 * orchestrator complete the waiting activity; `deadline` is epoch ms and only a do has one.
 */
export const CommandHeaders = z.object({
  command: z.enum(anyCommandNames),
  command_id: id,
  purchase_id: z.uuid(),
  workflow_id: id,
  run_id: z.guid(),
  activity_id: id,
  traceparent: storable(maxIdCharacters).optional(),
  deadline: z.coerce.number().int().nonnegative().optional(),
})
export type CommandHeaders = z.infer<typeof CommandHeaders>

/** The header that names the event on topics that carry more than one. */
export const eventHeader = 'event'

/**
 * The header of an accepted purchase: epoch ms, at which its row neither had an outcome nor a cancel request. A purchase
 * that waited for its turn is older than that.
 */
export const releasedAtHeader = 'released_at'
