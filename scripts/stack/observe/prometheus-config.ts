import { join } from 'node:path'
import type { Ports } from '../ports.ts'
import { type Replicas, replicaNumbers, replicaPort } from '../replicas.ts'
import { serviceNames } from '../services.ts'

const scrapeEveryMs = 15_000

/** A folder with rules, such as scaled ones of a drill, and how many times more often than usual Prometheus looks. */
export type ObserveOptions = { rules: string; timesFaster: number }

/** The same jobs as deploy/observability/prometheus.yml, at the addresses of the stack. */
export function prometheusConfig(
  stack: { ports: Ports; replicas?: Replicas },
  ports: { temporalSdk: number },
  options: ObserveOptions,
) {
  const everyMs = `${scrapeEveryMs / options.timesFaster}ms`
  const at = (port: number) => `127.0.0.1:${port}`
  const processes = serviceNames.flatMap((name) =>
    replicaNumbers(stack.replicas, name).map((replica) =>
      at(replicaPort(stack.ports[name], replica)),
    ),
  )
  const job = (name: string, targets: string[]) => ({
    job_name: name,
    static_configs: [{ targets }],
  })
  return {
    global: { scrape_interval: everyMs, evaluation_interval: everyMs },
    rule_files: ['objectives.yml', 'alerts.yml'].map((file) => join(options.rules, file)),
    scrape_configs: [
      job('shop', processes),
      job('traefik', [at(stack.ports.dashboard)]),
      job('temporal-sdk', [at(ports.temporalSdk)]),
    ],
  }
}
