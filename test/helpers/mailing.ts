import { pino } from 'pino'
import { start } from '../../services/mail/main.ts'
import { startTestAccount } from './account.ts'
import { codeIn, waitForMails } from './mailbox.ts'
import { testStack } from './stack.ts'
import { createTcpProxy } from './tcp-proxy.ts'
import { testSealingKeys } from './tokens.ts'
import { createTestTopics } from './topics.ts'

/** account and mail, and the way from mail to the mail server. */
export async function openMailing() {
  await using opening = new AsyncDisposableStack()
  const { urls } = await testStack()
  const topics = opening.adopt(await createTestTopics(), (it) => it.close())
  const { hostname: host, port } = new URL(urls.smtp)
  const target = { host, port: Number(port) }
  const proxy = opening.adopt(await createTcpProxy(target), (it) => it.close())
  const kafka = opening.adopt(await topics.connect('test'), (it) => it.close())
  const account = opening.adopt(await startTestAccount(topics.config, urls.grpc), (it) =>
    it.close(),
  )
  const config = {
    ...topics.config,
    HTTP_HOST: '127.0.0.1',
    HTTP_PORT: 0,
    LOG_LEVEL: 'silent',
    MAX_IN_FLIGHT: 256,
    CORS_ORIGINS: [] as string[],
    DRAIN_NOTICE_MS: 0,
    APP_ENV: 'local',
    CODE_SEALING_KEYS: testSealingKeys,
    SMTP_URL: `smtp://127.0.0.1:${proxy.port}`,
    MAIL_FROM: 'The Shop <shop@example.com>',
  } as const
  opening.adopt(await start(config, pino({ level: 'silent' })), (it) => it.close())

  /** A new customer, and the code that they were mailed. */
  async function registered(overrides: object = {}) {
    const customer = await account.register(overrides)
    const [mail] = await waitForMails(customer.email, 1)
    return { ...customer, code: codeIn(mail) }
  }

  const opened = opening.move()
  return { account, kafka, topics, proxy, registered, close: () => opened.disposeAsync() }
}

export type Mailing = Awaited<ReturnType<typeof openMailing>>
