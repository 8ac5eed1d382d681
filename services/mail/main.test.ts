import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { pino } from 'pino'
import { startServiceProcess } from '../../test/helpers/service-process.ts'
import { testStack } from '../../test/helpers/stack.ts'
import { start } from './main.ts'

async function readiness(smtpUrl: string) {
  const config = { HTTP_HOST: '127.0.0.1', HTTP_PORT: 0, APP_ENV: 'local' } as const
  const logger = pino({ level: 'silent' })
  const mail = await start({ ...config, LOG_LEVEL: 'silent', SMTP_URL: smtpUrl }, logger)
  try {
    const response = await fetch(`http://127.0.0.1:${mail.port}/health/ready`)
    const { checks } = (await response.json()) as { checks: object }
    return { status: response.status, checks }
  } finally {
    await mail.close()
  }
}

describe('mail', () => {
  it('is ready when the mail server answers', async () => {
    const { urls } = await testStack()

    assert.deepEqual(await readiness(urls.smtp), { status: 200, checks: { smtp: true } })
  })

  it('is not ready while the mail server is away', async () => {
    assert.deepEqual(await readiness('smtp://127.0.0.1:1'), {
      status: 503,
      checks: { smtp: false },
    })
  })

  it('is not ready while the mail server does not greet', async () => {
    const silent = createServer().listen(0, '127.0.0.1')
    await once(silent, 'listening')
    try {
      const { port } = silent.address() as AddressInfo

      const answer = await readiness(`smtp://127.0.0.1:${port}`)

      assert.deepEqual(answer, { status: 503, checks: { smtp: false } })
    } finally {
      silent.close()
    }
  })

  it('does not start without its variables and names them', async () => {
    const mail = startServiceProcess('mail', {})

    assert.equal(await mail.exited(), 1)
    for (const name of ['HTTP_PORT', 'SMTP_URL']) {
      assert.match(mail.output(), new RegExp(`${name}: `))
    }
  })
})
