import { randomUUID } from 'node:crypto'
import { pino } from 'pino'
import { start } from '../../services/account/main.ts'
import type { TokenPair } from '../../shared/contracts/account.ts'
import type { Role } from '../../shared/contracts/role.ts'
import { connectGrpc } from '../../shared/grpc/client.ts'
import type { KafkaConfig } from '../../shared/kafka/config.ts'
import { createTestDatabase } from './database.ts'
import { operators } from './operators.ts'
import { testSealingKeys, testTokens } from './tokens.ts'

/** What a new customer sends. */
export const aForm = (overrides: object = {}) => ({
  email: `${randomUUID()}@example.com`,
  password: 'correct horse',
  first_name: 'An',
  last_name: 'Nguyen',
  address: '1 Le Loi',
  phone_number: '+84901234567',
  ...overrides,
})

/** An account service of this process, with a database of its own; it can ask other services at `grpcAddress`. */
export async function startTestAccount(
  kafka: KafkaConfig,
  grpcAddress = '127.0.0.1:1',
  settings: Partial<Parameters<typeof start>[0]> = {},
) {
  await using starting = new AsyncDisposableStack()
  const database = starting.adopt(await createTestDatabase('account'), (it) => it.close())
  const config = {
    ...testTokens.config,
    ...kafka,
    JWT_SIGNING_KEY: testTokens.signingKey,
    ACCESS_TOKEN_TTL_SECONDS: 900,
    REFRESH_TOKEN_TTL_SECONDS: 600,
    SESSION_TTL_SECONDS: 3600,
    REFRESH_GRACE_SECONDS: 10,
    OPERATOR_EMAIL: 'operator@example.com',
    ...operators.config,
    GRPC_ADDRESS: grpcAddress,
    NEW_ACCOUNT_ROLES: ['buyer', 'seller'] as Role[],
    WEB_ROOT: '',
    PUBLIC_URL: 'http://localhost',
    MEDIA_PUBLIC_URL: 'http://localhost:9000',
    CODE_SEALING_KEYS: testSealingKeys,
    VERIFY_CODE_TTL_SECONDS: 3600,
    RESET_CODE_TTL_SECONDS: 600,
    SESSION_RETENTION_SECONDS: 3600,
    ACCOUNT_DELETION_DELAY_SECONDS: 0,
    // Redis is unavailable: rate limits let every request pass.
    REDIS_NODES: Array.of('127.0.0.1:1'),
    RATE_LIMIT_REGISTER: '1/60',
    RATE_LIMIT_LOGIN: '1/60',
    RATE_LIMIT_LOGIN_FAILED_ADDRESS: '1/60',
    RATE_LIMIT_LOGIN_FAILED_ACCOUNT: '1/60',
    RATE_LIMIT_CODE: '1/60',
    RATE_LIMIT_CODE_ADDRESS: '1/60',
    DATABASE_URL: database.url,
    DATABASE_POOL_SIZE: 4,
    HTTP_HOST: '127.0.0.1',
    HTTP_PORT: 0,
    GRPC_PORT: 0,
    LOG_LEVEL: 'silent',
    MAX_IN_FLIGHT: 256,
    CORS_ORIGINS: [] as string[],
    DRAIN_NOTICE_MS: 0,
    APP_ENV: 'local',
    ...settings,
  } as const
  const service = starting.adopt(await start(config, pino({ level: 'silent' })), (it) => it.close())
  const address = `127.0.0.1:${service.grpcPort}`
  const grpc = starting.adopt(connectGrpc('auth', address, { deadlineMs: 30_000 }), (it) =>
    it.close(),
  )
  const started = starting.move()
  const url = `http://127.0.0.1:${service.port}`

  async function call(
    method: string,
    path: string,
    body?: unknown,
    token?: string,
    client?: string,
  ) {
    const response = await fetch(`${url}/api/v1/account${path}`, {
      method,
      headers: {
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
        ...(client !== undefined && { 'x-forwarded-for': client }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
    const text = await response.text()
    return { status: response.status, text, body: text === '' ? undefined : JSON.parse(text) }
  }

  const post = (path: string, body?: unknown, token?: string) => call('POST', path, body, token)

  return {
    url,
    grpc,
    databaseUrl: database.url,
    get: (path: string, token?: string) => call('GET', path, undefined, token),
    put: (path: string, body: unknown, token?: string) => call('PUT', path, body, token),
    post,
    /** The same, from another address. */
    postFrom: (client: string, path: string, body: unknown) =>
      call('POST', path, body, undefined, client),
    query: database.query,
    authenticate: (accessToken: string) => grpc.Authenticate({ access_token: accessToken }),
    /** Registers a new customer. */
    async register(overrides: object = {}) {
      const form = aForm(overrides)
      const { status, text, body } = await post('/register', form)
      if (status !== 201) throw new Error(`${status}: ${text}`)
      return { ...form, pair: body as TokenPair }
    },
    close: () => started.disposeAsync(),
  }
}

export type TestAccount = Awaited<ReturnType<typeof startTestAccount>>
