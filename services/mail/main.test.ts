import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { pino } from 'pino'
import type { KafkaConfig } from '../../shared/kafka/config.ts'
import { waitFor } from '../../shared/runtime/wait-for.ts'
import { startServiceProcess } from '../../test/helpers/service-process.ts'
import { testStack } from '../../test/helpers/stack.ts'
import { testSealingKeys } from '../../test/helpers/tokens.ts'
import { createTestTopics } from '../../test/helpers/topics.ts'
import { start } from './main.ts'

type Readiness = { status: number; checks: Record<string, boolean> }

/** Waits until mail says this of itself. */
async function assertReadiness(smtpUrl: string, kafka: KafkaConfig, expected: Readiness) {
  const mail = await start(
    {
      ...kafka,
      HTTP_HOST: '127.0.0.1',
      HTTP_PORT: 0,
      MAX_IN_FLIGHT: 256,
      CORS_ORIGINS: [] as string[],
      DRAIN_NOTICE_MS: 0,
      APP_ENV: 'local',
      LOG_LEVEL: 'silent',
      SMTP_URL: smtpUrl,
      CODE_SEALING_KEYS: testSealingKeys,
      MAIL_FROM: 'shop@example.com',
    },
    pino({ level: 'silent' }),
  )
  try {
    await waitFor('the checks', async () => {
      const response = await fetch(`http://127.0.0.1:${mail.port}/health/ready`)
      const { checks } = (await response.json()) as Pick<Readiness, 'checks'>
      assert.deepEqual({ status: response.status, checks }, expected)
      return true
    })
  } finally {
    await mail.close()
  }
}

describe('mail', () => {
  let topics: Awaited<ReturnType<typeof createTestTopics>>

  before(async () => {
    topics = await createTestTopics()
  })

  after(() => topics.close())

  it('is ready when the mail server answers', async () => {
    const { urls } = await testStack()

    await assertReadiness(urls.smtp, topics.config, {
      status: 200,
      checks: { smtp: true, emails: true, requests: true },
    })
  })

  it('is not ready while the mail server is unavailable', async () => {
    await assertReadiness('smtp://127.0.0.1:1', topics.config, {
      status: 503,
      checks: { smtp: false, emails: true, requests: true },
    })
  })

  it('is not ready while the mail server does not greet', async () => {
    const silent = createServer().listen(0, '127.0.0.1')
    await once(silent, 'listening')
    try {
      const { port } = silent.address() as AddressInfo

      await assertReadiness(`smtp://127.0.0.1:${port}`, topics.config, {
        status: 503,
        checks: { smtp: false, emails: true, requests: true },
      })
    } finally {
      silent.close()
    }
  })

  it('does not start without its variables and names them', async () => {
    const mail = startServiceProcess('mail', {})

    assert.equal(await mail.exited(), 1)
    for (const name of ['HTTP_PORT', 'SMTP_URL', 'KAFKA_BROKERS']) {
      assert.match(mail.output(), new RegExp(`${name}: `))
    }
  })
})
