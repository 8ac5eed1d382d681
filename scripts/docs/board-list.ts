/** In words, by the names that Grafana has for them. */
export const units = { s: 'seconds', percentunit: 'a share', ops: 'a second', short: 'number' }

export type Unit = keyof typeof units
export type Panel = {
  title: string
  /** Each with its legend. */
  queries: [expr: string, legend: string][]
  unit?: Unit
  kind?: 'timeseries' | 'stat'
  /** From where on it is red. */
  limit?: number
}
export type Board = { file: string; title: string; panels: Panel[] }

const post = 'route="/purchases",method="POST"'
const p99 = (histogram: string, by: string, where = '') =>
  `histogram_quantile(0.99, sum by (le${by && `, ${by}`}) (rate(${histogram}_bucket${where && `{${where}}`}[5m])))`

/** A board for each question that a person on duty asks. */
export const boards: Board[] = [
  {
    file: 'well',
    title: 'Is the shop well?',
    panels: [
      {
        title: 'Purchases a second, by how they ended',
        queries: [['sum by (status) (rate(purchases_ended_total[5m]))', '{{status}}']],
        unit: 'ops',
      },
      {
        title: 'Why purchases did not complete',
        queries: [
          [
            'sum by (reason) (increase(purchases_ended_total{status!="COMPLETED"}[1h]))',
            '{{reason}}',
          ],
        ],
      },
      {
        title: 'Accepting a purchase, p99 (objective: 0.5 s)',
        queries: [[p99('http_request_duration_seconds', '', `${post},status="202"`), 'p99']],
        unit: 's',
        limit: 0.5,
      },
      {
        title: 'From accepting to the end, p99 (objective: 10 s)',
        queries: [[p99('purchase_duration_seconds', 'status'), '{{status}}']],
        unit: 's',
        limit: 10,
      },
      {
        title: 'Budget of an hour: accepted too slowly, failed, ended too late',
        queries: [
          ['shop:accept_slow:ratio_1h', 'accepted slowly'],
          ['shop:accept_failed:ratio_1h', 'failed'],
          ['shop:end_slow:ratio_1h', 'ended late'],
        ],
        unit: 'percentunit',
        limit: 0.01,
      },
      {
        title: 'Processes that do not answer',
        queries: [['count(up == 0) or vector(0)', 'down']],
        kind: 'stat',
        limit: 1,
      },
      {
        title: 'Ends that contradict what is stored',
        queries: [['sum(settlement_alarms_total)', 'alarms']],
        kind: 'stat',
        limit: 1,
      },
    ],
  },
  {
    file: 'stuck',
    title: 'What is stuck?',
    panels: [
      {
        title: 'Age of the oldest saga (objective: 5 min)',
        queries: [['max(purchase_oldest_started_seconds)', 'age']],
        unit: 's',
        limit: 300,
      },
      {
        title: 'Sagas that wait for an operator, and stalled ones',
        queries: [
          ['max(sagas_needing_attention)', 'need attention'],
          ['max(sagas_stalled)', 'stalled'],
        ],
        limit: 1,
      },
      {
        title: 'Purchases that have not ended, and those that wait for their turn',
        queries: [
          ['max(purchases_unfinished)', 'unfinished'],
          ['max(purchases_queued)', 'queued'],
        ],
      },
      {
        title: 'Messages that a group has not read',
        queries: [['max by (group, topic) (kafka_consumer_lag)', '{{group}} {{topic}}']],
        limit: 1_000,
      },
      {
        title: 'Commands sent again, by the reason',
        queries: [
          [
            'sum by (command, as) (rate(saga_commands_sent_total{as!="first"}[5m]))',
            '{{command}} {{as}}',
          ],
        ],
        unit: 'ops',
      },
      {
        title: 'Undos, by their outcome',
        queries: [
          [
            'sum by (step, outcome) (rate(saga_step_duration_seconds_count{direction="undo"}[5m]))',
            '{{step}} {{outcome}}',
          ],
        ],
        unit: 'ops',
      },
      {
        title: 'Messages retried, dead-lettered or abandoned',
        queries: [
          [
            'sum by (topic, outcome) (increase(kafka_messages_total{outcome!="handled"}[15m]))',
            '{{topic}} {{outcome}}',
          ],
        ],
      },
      {
        title: 'The oldest event in the outbox, and payments without an answer',
        queries: [
          ['max(outbox_oldest_unsent_seconds)', 'outbox, s'],
          ['max(payments_pending)', 'payments'],
        ],
      },
    ],
  },
  {
    file: 'slow',
    title: 'Who is slow?',
    panels: [
      {
        title: 'Steps of the saga, p99',
        queries: [[p99('saga_step_duration_seconds', 'step'), '{{step}}']],
        unit: 's',
      },
      {
        title: 'Sagas from their release to the end, p99',
        queries: [[p99('saga_duration_seconds', 'status'), '{{status}}']],
        unit: 's',
      },
      {
        title: 'Wait for a turn, p99',
        queries: [[p99('purchase_admission_wait_seconds', ''), 'wait']],
        unit: 's',
      },
      {
        title: 'Routes, p99',
        queries: [
          [
            `topk(10, ${p99('http_request_duration_seconds', 'service, method, route')})`,
            '{{service}} {{method}} {{route}}',
          ],
        ],
        unit: 's',
      },
      {
        title: 'gRPC calls as their callers see them, p99',
        queries: [
          [p99('grpc_client_duration_seconds', 'service, target'), '{{service}} → {{target}}'],
        ],
        unit: 's',
      },
      {
        title: 'gRPC calls as they are answered, p99',
        queries: [
          [p99('grpc_server_duration_seconds', 'service, method'), '{{service}} {{method}}'],
        ],
        unit: 's',
      },
      {
        title: 'Messages, p99',
        queries: [
          [p99('kafka_message_duration_seconds', 'service, topic'), '{{service}} {{topic}}'],
        ],
        unit: 's',
      },
      {
        title: 'The payment provider, p99',
        queries: [
          [p99('payment_provider_call_duration_seconds', 'kind, outcome'), '{{kind}} {{outcome}}'],
        ],
        unit: 's',
      },
    ],
  },
  {
    file: 'limits',
    title: 'What is near its limit?',
    panels: [
      {
        title: 'Connections to databases in use, of those allowed',
        queries: [
          [
            'max by (service) (pool_uses{pool="database",state="busy"}) / max by (service) (pool_limit{pool="database"})',
            '{{service}}',
          ],
        ],
        unit: 'percentunit',
        limit: 1,
      },
      {
        title: 'Uses that wait for a connection',
        queries: [['max by (service) (pool_uses{state="waiting"})', '{{service}}']],
        limit: 1,
      },
      {
        title: 'Event loop delay, p99',
        queries: [['max by (service) (nodejs_eventloop_lag_p99_seconds)', '{{service}}']],
        unit: 's',
        limit: 0.5,
      },
      {
        title: 'CPU',
        // Traefik has no label `service`.
        queries: [
          ['sum by (job, service) (rate(process_cpu_seconds_total[5m]))', '{{job}} {{service}}'],
        ],
        unit: 'percentunit',
      },
      {
        title: 'Requests at once, by what they do',
        queries: [['sum by (service, stage) (http_requests_in_flight)', '{{service}} {{stage}}']],
      },
      {
        title: 'Requests refused, by the limit',
        queries: [
          ['sum by (service, limit) (rate(http_requests_shed_total[5m]))', '{{service}} {{limit}}'],
        ],
        unit: 'ops',
      },
      {
        title: 'Purchases refused, by the limit',
        queries: [['sum by (limit) (rate(purchases_refused_total[5m]))', '{{limit}}']],
        unit: 'ops',
      },
      {
        title: 'Messages at once',
        queries: [['sum by (service, topic) (kafka_messages_in_flight)', '{{service}} {{topic}}']],
      },
      {
        title: 'Sagas of a replica of the orchestrator',
        queries: [['unfinished_sagas', '{{instance}}']],
      },
    ],
  },
]
