import { z } from 'zod'
import { type CommandName, commands } from './commands.ts'

const commandNames = Object.keys(commands) as [CommandName, ...CommandName[]]

/**
 * The headers of a command, and of its reply. `workflow_id`, `run_id` and `activity_id` let any replica of the
 * orchestrator complete the waiting activity; `deadline` is epoch ms and only a do has one.
 */
export const CommandHeaders = z.object({
  command: z.enum(commandNames),
  command_id: z.string().min(1),
  purchase_id: z.uuid(),
  workflow_id: z.string().min(1),
  run_id: z.string().min(1),
  activity_id: z.string().min(1),
  traceparent: z.string().optional(),
  deadline: z.coerce.number().int().optional(),
})
export type CommandHeaders = z.infer<typeof CommandHeaders>

/** The header that names the event on topics that carry more than one. */
export const eventHeader = 'event'
