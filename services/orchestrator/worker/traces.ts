import type { WorkflowClientInterceptor } from '@temporalio/client'
import type { ActivityInterceptorsFactory } from '@temporalio/worker'
import { tracing } from '../../../shared/runtime/tracing.ts'
import { traceHeader } from '../../../workflows/trace-header.ts'

export type TemporalInterceptors = {
  client: WorkflowClientInterceptor[]
  activity: ActivityInterceptorsFactory[]
}

/**
 * The spans of starts and of each attempt of an activity. Their headers reach the activities by
 * `workflows/trace-header.ts`. None where the trace is not kept, and nothing is loaded if the process makes no traces.
 */
export async function createTemporalInterceptors(): Promise<TemporalInterceptors> {
  const traces = tracing()
  if (!traces) return { client: [], activity: [] }
  const { OpenTelemetryActivityInboundInterceptor, OpenTelemetryWorkflowClientInterceptor } =
    await import('@temporalio/interceptors-opentelemetry')
  const traced = new OpenTelemetryWorkflowClientInterceptor()
  return {
    client: [
      {
        startWithDetails: (input, next) =>
          traces.current() ? traced.startWithDetails(input, next) : next(input),
      },
    ],
    activity: [
      (activity) => {
        const traced = new OpenTelemetryActivityInboundInterceptor(activity)
        return {
          inbound: {
            execute: (input, next) =>
              traceHeader in input.headers ? traced.execute(input, next) : next(input),
          },
        }
      },
    ],
  }
}
