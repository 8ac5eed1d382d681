import { randomUUID } from 'node:crypto'
import { pino } from 'pino'
import { start } from '../../services/account/main.ts'
import type { TokenPair } from '../../shared/contracts/account.ts'
import { connectGrpc } from '../../shared/grpc.ts'
import type { KafkaConfig } from '../../shared/kafka.ts'
import { createTestDatabase } from './database.ts'
import { testTokens } from './tokens.ts'

/** An account service of this process, with a database of its own. */
export async function startTestAccount(kafka: KafkaConfig) {
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
    VERIFY_CODE_TTL_SECONDS: 3600,
    RESET_CODE_TTL_SECONDS: 600,
    SESSION_RETENTION_SECONDS: 3600,
    OUTBOX_RETENTION_SECONDS: 3600,
    // Nobody is there: rate limits let everybody pass.
    REDIS_NODES: Array.of('127.0.0.1:1'),
    RATE_LIMIT_REGISTER: '1/60',
    RATE_LIMIT_LOGIN: '1/60',
    RATE_LIMIT_CODE: '1/60',
    DATABASE_URL: database.url,
    DATABASE_POOL_SIZE: 4,
    HTTP_HOST: '127.0.0.1',
    HTTP_PORT: 0,
    GRPC_PORT: 0,
    LOG_LEVEL: 'silent',
    MAX_IN_FLIGHT: 256,
    APP_ENV: 'local',
  } as const
  const service = starting.adopt(await start(config, pino({ level: 'silent' })), (it) => it.close())
  const address = `127.0.0.1:${service.grpcPort}`
  const grpc = starting.adopt(connectGrpc('auth', address), (it) => it.close())
  const started = starting.move()

  async function call(method: string, path: string, body?: unknown, token?: string) {
    const url = `http://127.0.0.1:${service.port}/api/v1/account${path}`
    const response = await fetch(url, {
      method,
      headers: {
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
    const text = await response.text()
    return { status: response.status, text, body: text === '' ? undefined : JSON.parse(text) }
  }

  const post = (path: string, body?: unknown, token?: string) => call('POST', path, body, token)

  return {
    get: (path: string, token?: string) => call('GET', path, undefined, token),
    put: (path: string, body: unknown, token?: string) => call('PUT', path, body, token),
    post,
    query: database.query,
    authenticate: (accessToken: string) => grpc.Authenticate({ access_token: accessToken }),
    /** Registers somebody new. */
    async register(overrides: object = {}) {
      const form = {
        email: `${randomUUID()}@example.com`,
        password: 'correct horse',
        first_name: 'An',
        last_name: 'Nguyen',
        address: '1 Le Loi',
        phone_number: '+84901234567',
        ...overrides,
      }
      const { status, text, body } = await post('/register', form)
      if (status !== 201) throw new Error(`${status}: ${text}`)
      return { ...form, pair: body as TokenPair }
    },
    close: () => started.disposeAsync(),
  }
}

export type TestAccount = Awaited<ReturnType<typeof startTestAccount>>
