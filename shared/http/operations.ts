import type { Express } from 'express'
import { AppError } from '../runtime/errors.ts'
import type { Metrics } from '../runtime/metrics.ts'
import { withDeadline } from '../runtime/resilience.ts'
import { sendProblem } from './problem.ts'

/** Checks by name; one that throws or returns false makes `/health/ready` answer 503 and name it. */
export type HealthChecks = Record<string, () => Promise<boolean> | boolean>

const healthDeadlineMs = 2_000

/** What operators, the launcher and Traefik ask of every service. Nothing of it is admitted, logged or measured. */
export function mountOperations(
  app: Express,
  { health, metrics }: { health: () => HealthChecks; metrics: Pick<Metrics, 'registry'> },
): void {
  app.get('/health/live', (_request, response) => {
    response.json({ status: 'live' })
  })
  app.get('/health/ready', async (_request, response) => {
    const checks = await runChecks(health())
    const ready = Object.values(checks).every((ok) => ok)
    response.status(ready ? 200 : 503).json({ status: ready ? 'ready' : 'not ready', checks })
  })
  app.get('/metrics', async (_request, response) => {
    response.type(metrics.registry.contentType).send(await metrics.registry.metrics())
  })
  app.all('/problems/:status', ({ params }, response) => {
    sendProblem(response, gatewayProblems[params.status] ?? gatewayProblems[404])
  })
}

/** What Traefik answers by itself; it asks a service for the body, so that it has the form of all others. */
const gatewayProblems: Record<string, AppError> = {
  404: new AppError('not_found', 'no such path or method'),
  502: new AppError('bad_gateway', 'the service did not answer; it may be restarting'),
  504: new AppError('gateway_timeout', 'the service did not answer in time'),
}

async function runChecks(health: HealthChecks): Promise<Record<string, boolean>> {
  const results = Object.entries(health).map(async ([name, check]) => {
    const ok = await withDeadline(healthDeadlineMs, async () => check()).catch(() => false)
    return [name, ok] as const
  })
  return Object.fromEntries(await Promise.all(results))
}
