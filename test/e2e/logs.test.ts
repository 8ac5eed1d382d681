import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { serviceNames } from '../../scripts/stack/services.ts'
import {
  type Customer,
  expectStatus,
  registerCustomer,
  request,
} from '../../scripts/stack/shop-client.ts'
import type { TokenPair } from '../../shared/contracts/account.ts'
import { topics } from '../../shared/contracts/topics.ts'
import { connectAdmin } from '../../shared/kafka/admin.ts'
import { readStretches, wholeTopic } from '../../shared/kafka/read-topic.ts'
import { waitFor } from '../../shared/runtime/wait-for.ts'
import { codeIn, waitForMails } from '../helpers/mailbox.ts'
import { testStack } from '../helpers/stack.ts'

/** One path of each service that customers reach, for a request that fails. */
const paths = {
  account: '/account/customer/personal',
  product: '/products/x',
  order: '/orders',
  payment: '/payments',
  purchase: '/purchases',
  media: '/media',
}

describe('the logs of all services', function () {
  this.timeout(300_000)

  const word = (bytes = 9) => randomBytes(bytes).toString('hex')

  /** Everything that was written since the stack was started, by whatever ran on it. */
  async function readLogs(): Promise<Map<string, string>> {
    const { dataDir } = await testStack()
    const read = [...serviceNames, 'postgres', 'traefik'].map(async (name) => {
      const text = await readFile(join(dataDir, 'logs', `${name}.log`), 'utf8')
      return [name, text] as const
    })
    return new Map(await Promise.all(read))
  }

  async function assertAbsent(secrets: Record<string, string>) {
    for (const [service, text] of await readLogs()) {
      for (const [what, secret] of Object.entries(secrets)) {
        assert.ok(secret.length >= 6, `${what} is no canary`)
        assert.ok(!text.includes(secret), `${service} logs ${what}`)
      }
    }
  }

  /** What all topics hold, as text. */
  async function readTopics(): Promise<Map<string, string>> {
    const { kafkaBrokers } = (await testStack()).urls
    const admin = await connectAdmin(kafkaBrokers)
    try {
      const held = new Map<string, string>()
      for (const topic of topics) {
        const stretches = await wholeTopic(admin, topic)
        let text = ''
        await readStretches(
          kafkaBrokers,
          { group: 'canary', stretches, deadlineMs: 60_000 },
          (_stretch, { key, value, headers }) => {
            text += `${key}\n${value}\n${Object.values(headers ?? {}).join('\n')}\n`
          },
        )
        held.set(topic, text)
      }
      return held
    } finally {
      await admin.close()
    }
  }

  async function buyAndBeDeclined(customer: Customer): Promise<string> {
    const category = await customer.createCategory('Phone')
    const product = await customer.createProduct({
      ...{ category_id: category.id, name: 'Iphone 13', description: 'Iphone 13' },
      ...{ brand_name: 'Apple', price: 125, inventory: 10 },
    })
    const order_items = [{ product_id: product.id, quantity: 1 }]
    const { body } = await customer.buy({ order_items, method: 'sim_declined' })
    await customer.waitForEnd(body.purchase_id)
    return body.purchase_id
  }

  it('hold no secret of a customer, and neither do the topics', async () => {
    const { api } = (await testStack()).urls
    const marker = `marker-${word()}`
    const email = `canary-${word()}@example.com`
    const [password, first_name, last_name, address] = [0, 1, 2, 3].map(() => `canary-${word()}`)
    const inQuery = `canary-${word()}`
    const form = { email, password, first_name, last_name, address, phone_number: '0901234567' }
    const headers = { 'user-agent': marker }
    const post = <T>(path: string, body: unknown, token?: string) =>
      request<T>(api, 'POST', path, { body, headers, ...(token && { token }) })
    const pair = expectStatus(await post<TokenPair>('/account/register', form), 201)
    await post('/account/password/forgot', { email })
    const codes = (await waitForMails(email, 2)).map(codeIn)

    // What goes wrong is what is logged.
    const { status } = await post('/account/login', { email, password: `${password}x` })
    assert.equal(status, 401)
    assert.equal((await post('/account/register', form)).status, 409)
    await post('/account/register', { ...form, role: password })
    for (const code of codes) {
      await post('/account/verify', { email, code, surprise: code })
      await post('/account/password/reset', { email, code: '000000', password: 'canary' })
    }
    const next = await post<TokenPair>('/account/refresh', { refresh_token: pair.refresh_token })
    const forged = `${pair.access_token.slice(0, -8)}AAAAAAAA`
    await post('/purchases', { surprise: pair.refresh_token }, forged)
    await post('/purchases', { surprise: pair.refresh_token }, pair.access_token)
    for (const path of Object.values(paths)) {
      const url = `${path}?access_token=${inQuery}&password=${password}`
      await request(api, 'GET', url, { headers, token: forged })
    }
    await post('/account/logout', {}, pair.access_token)
    const purchaseId = await buyAndBeDeclined(await registerCustomer(api))

    // Nothing is absent from a log that was not written: each has a line about what was done here.
    for (const service of Object.keys(paths)) {
      await waitFor(`the log of ${service}`, async () =>
        (await readLogs()).get(service)?.includes(marker),
      )
    }
    for (const service of ['orchestrator', 'mail', 'purchase', 'payment']) {
      await waitFor(`the log of ${service}`, async () =>
        (await readLogs()).get(service)?.includes(purchaseId),
      )
    }
    const [, , signature = ''] = pair.access_token.split('.')
    const secrets: Record<string, string> = {
      password: String(password),
      'an access token': pair.access_token,
      'the signature of an access token': signature,
      'a forged token': forged,
      'a refresh token': pair.refresh_token,
      'the next refresh token': next.body.refresh_token,
      'what stands in a query': inQuery,
      'where a customer lives': String(address),
    }
    await assertAbsent({
      ...secrets,
      'an address': email,
      'a first name': String(first_name),
      'a last name': String(last_name),
    })
    // Six digits are in many an id, so only where a code may stand by itself.
    const standsAlone = new RegExp(`["' :](${codes.join('|')})["' ,.]`)
    for (const name of ['account', 'mail', 'postgres']) {
      assert.doesNotMatch((await readLogs()).get(name) ?? '', standsAlone)
    }
    const held = await readTopics()
    assert.ok(held.get('emails')?.includes(email), 'the topics were read')
    assert.ok(held.get('purchase-results')?.includes(purchaseId), 'the topics were read')
    for (const [topic, text] of held) {
      for (const [what, secret] of Object.entries(secrets)) {
        assert.ok(!text.includes(secret), `${topic} holds ${what}`)
      }
      assert.doesNotMatch(text, standsAlone, topic)
    }
  })

  it('say why a purchase was refused', async () => {
    const { api } = (await testStack()).urls
    const id = await buyAndBeDeclined(await registerCustomer(api))

    const lineOf = (service: string, msg: string) =>
      waitFor(`${msg} of ${service}`, async () => {
        const lines = (await readLogs()).get(service)?.split('\n') ?? []
        const found = lines.find((line) => line.includes(id) && line.includes(`"msg":"${msg}"`))
        return found && JSON.parse(found)
      })

    assert.equal((await lineOf('purchase', 'purchase ended')).reason, 'payment_declined')
    assert.equal((await lineOf('payment', 'command handled')).reason, 'payment_declined')
    assert.equal((await lineOf('mail', 'e-mail sent')).purchase_id, id)
  })

  it('hold no secret of the shop', async () => {
    const { secrets } = await testStack()
    const logs = [...(await readLogs()).values()].join('\n')
    const { postgres, minio, jwt, codeSealingKey, operatorToken } = secrets
    const passwords = Object.entries(postgres).map(([role, password]) => [
      `the password of ${role}`,
      password,
    ])

    await assertAbsent({
      ...Object.fromEntries(passwords),
      'the secret key of MinIO': minio.secretKey,
      'the signing key': jwt.privateKey.split('\n')[1] ?? '',
      'the key of codes': codeSealingKey,
      'the token of an operator': operatorToken,
    })
    assert.doesNotMatch(logs, /PRIVATE KEY|postgres(ql)?:\/\/\w+:|\$argon2|Bearer ey/)
    // Traefik logs warnings only.
    for (const [name, text] of await readLogs()) assert.ok(text.length > 0 || name === 'traefik')
    assert.match((await readLogs()).get('postgres') ?? '', /ready to accept connections/)
  })
})
