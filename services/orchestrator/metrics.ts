import { Counter, Gauge } from 'prom-client'
import type { Metrics } from '../../shared/metrics.ts'
import type { SagaGate } from './saga-gate.ts'

export function createOrchestratorMetrics({ registry }: Metrics, gate: SagaGate) {
  new Gauge({
    name: 'unfinished_sagas',
    help: 'Sagas that this replica started and that have not ended',
    registers: [registry],
    collect() {
      this.set(gate.size)
    },
  })
  return {
    needAttention: new Gauge({
      name: 'sagas_needing_attention',
      help: 'Sagas that run and wait for an operator, as the search index has it',
      registers: [registry],
    }),
    recovered: new Counter({
      name: 'sagas_taken_up_again_total',
      help: 'Sagas that were ended from outside and go on',
      registers: [registry],
    }),
    lateReplies: new Counter({
      name: 'late_replies_total',
      help: 'Replies for which no activity waited any more',
      labelNames: ['command'],
      registers: [registry],
    }),
  }
}
