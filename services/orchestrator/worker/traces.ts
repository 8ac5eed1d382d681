import type { WorkflowClientInterceptor } from '@temporalio/client'
import type { ActivityInterceptorsFactory } from '@temporalio/worker'
import { tracing } from '../../../shared/runtime/tracing.ts'

export type TemporalInterceptors = {
  client: WorkflowClientInterceptor[]
  activity: ActivityInterceptorsFactory[]
}

/**
 * The spans of starts and of each attempt of an activity. Their headers reach the activities by
 * `workflows/trace-header.ts`. None, and nothing loaded, if the process makes no traces.
 */
export async function createTemporalInterceptors(): Promise<TemporalInterceptors> {
  if (!tracing()) return { client: [], activity: [] }
  const { OpenTelemetryActivityInboundInterceptor, OpenTelemetryWorkflowClientInterceptor } =
    await import('@temporalio/interceptors-opentelemetry')
  return {
    client: [new OpenTelemetryWorkflowClientInterceptor()],
    activity: [(activity) => ({ inbound: new OpenTelemetryActivityInboundInterceptor(activity) })],
  }
}
