import { Counter, Gauge } from 'prom-client'
import type { SentAs } from '../../activities/ask.ts'
import type { AnyCommandName } from '../../shared/contracts/steps.ts'
import type { Metrics } from '../../shared/runtime/metrics.ts'
import type { SagaGate } from './worker/admission.ts'

export function createOrchestratorMetrics({ registry }: Metrics, gate: SagaGate) {
  new Gauge({
    name: 'unfinished_sagas',
    help: 'Sagas that this replica started and that have not ended',
    registers: [registry],
    collect() {
      this.set(gate.size)
    },
  })
  const sent = new Counter({
    name: 'saga_commands_sent_total',
    help: 'Commands that sagas sent: first, fallback (no reply came to the process that asked), or again (a later attempt)',
    labelNames: ['command', 'as'],
    registers: [registry],
  })
  return {
    commandSent: (command: AnyCommandName, as: SentAs) => sent.inc({ command, as }),
    needAttention: new Gauge({
      name: 'sagas_needing_attention',
      help: 'Sagas that run and wait for an operator, as the search index has it',
      registers: [registry],
    }),
    stalled: new Gauge({
      name: 'sagas_stalled',
      help: 'Sagas that have run for longer than SAGA_OVERDUE_MS, as the search index has it',
      registers: [registry],
    }),
    restarted: new Counter({
      name: 'sagas_restarted_total',
      help: 'Sagas that were ended from outside, or missing in Temporal, and were restarted',
      labelNames: ['cause'],
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

export type OrchestratorMetrics = ReturnType<typeof createOrchestratorMetrics>
