// Replayed code: no clock, random, env or I/O here. The world is reached through activities.
import type { WorkflowExecuteInput, WorkflowInterceptorsFactory } from '@temporalio/workflow'

/** Under which the interceptors of client and activities pass a trace on. */
export const traceHeader = '_tracer-data'

/**
 * Hands the trace that started a workflow to its activities. Nothing but one header is copied: no span is made in
 * replayed code, no promise is added, and a history without the header, or with it, replays the same.
 */
export const interceptors: WorkflowInterceptorsFactory = () => {
  let trace: WorkflowExecuteInput['headers'] = {}

  return {
    inbound: [
      {
        execute(input, next) {
          const value = input.headers[traceHeader]
          if (value) trace = { [traceHeader]: value }
          return next(input)
        },
      },
    ],
    outbound: [
      {
        scheduleActivity: (input, next) =>
          next({ ...input, headers: { ...input.headers, ...trace } }),
        scheduleLocalActivity: (input, next) =>
          next({ ...input, headers: { ...input.headers, ...trace } }),
      },
    ],
  }
}
