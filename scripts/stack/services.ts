type EngineName = 'postgres' | 'redis' | 'kafka' | 'temporal' | 'minio' | 'maildev' | 'provider'
export type Need =
  | EngineName
  | 'signing'
  | 'tokens'
  | 'grpc-server'
  | 'grpc-client'
  | 'currency'
  | 'categories'
  | 'accounts'
  | 'retention'
  | 'verification'
  | 'operators'
  | 'admission'
  | 'overdue'
  | 'operator-mail'
  | 'code-sealing'
  | 'pages'

/** What each service needs. It is started as soon as the engines among its needs are there. */
export const needs = {
  account: [
    'postgres',
    'redis',
    'kafka',
    'tokens',
    'signing',
    'grpc-server',
    'grpc-client',
    'operators',
    'accounts',
    'operator-mail',
    'code-sealing',
    'pages',
  ],
  product: [
    'postgres',
    'redis',
    'kafka',
    'tokens',
    'grpc-server',
    'grpc-client',
    'currency',
    'categories',
  ],
  order: ['postgres', 'redis', 'kafka', 'tokens', 'grpc-server'],
  payment: [
    'postgres',
    'redis',
    'kafka',
    'tokens',
    'grpc-server',
    'grpc-client',
    'operators',
    'provider',
  ],
  purchase: [
    'postgres',
    'redis',
    'kafka',
    'tokens',
    'grpc-server',
    'grpc-client',
    'currency',
    'verification',
    'retention',
    'operators',
    'admission',
    'overdue',
  ],
  orchestrator: ['kafka', 'temporal', 'grpc-server', 'grpc-client', 'operators', 'overdue'],
  media: ['postgres', 'minio', 'tokens', 'grpc-server', 'grpc-client'],
  mail: ['kafka', 'maildev', 'code-sealing'],
} as const satisfies Record<string, Need[]>

export type ServiceName = keyof typeof needs
export const serviceNames = Object.keys(needs) as ServiceName[]

const engineNames = new Set<string>([
  'postgres',
  'redis',
  'kafka',
  'temporal',
  'minio',
  'maildev',
  'provider',
])

/** The engines that must be ready before a service starts. */
export function enginesOf(service: ServiceName): EngineName[] {
  return needs[service].filter((need): need is never => engineNames.has(need))
}
