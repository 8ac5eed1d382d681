import { setTimeout as sleep } from 'node:timers/promises'
import { reconcile } from '../../../bench/reconcile.ts'
import { signatureOf } from '../../../provider/webhooks.ts'
import { rotate } from '../../../scripts/keys/roll.ts'
import { type KeyName, keyNames, steps } from '../../../scripts/keys/steps.ts'
import { addressesOf } from '../../../scripts/stack/addresses.ts'
import { request } from '../../../scripts/stack/shop-client.ts'
import type { OwnStack } from '../../../scripts/stack/start.ts'
import { newId } from '../../../shared/contracts/ids.ts'
import { signAccessToken } from '../../../shared/http/auth.ts'
import { waitFor } from '../../../shared/runtime/wait-for.ts'
import { startOwnStack } from '../../helpers/own-stack.ts'
import { type Profile, profileEnv } from '../profile.ts'
import { openRig, type Rig } from '../rig.ts'
import type { Result } from '../run-drill.ts'
import { openOperator } from './operator.ts'
import { openShopper, type Shopper } from './shopper.ts'

const shoppers = 3
/** So that the tokens of the old key expire while the drill waits. */
const tokenSeconds = 60
const quietSeconds = 120
/** Each service answers while one of its processes restarts. */
const replicas = {
  account: 2,
  product: 2,
  order: 2,
  payment: 2,
  purchase: 2,
  orchestrator: 2,
  media: 2,
}

/** The code in the newest e-mail to an address. */
async function mailedCode({ urls }: Pick<OwnStack, 'urls'>, address: string): Promise<string> {
  return waitFor(`a code for ${address}`, async () => {
    const response = await fetch(`${urls.mail}/api/email`)
    const mails = (await response.json()) as { text: string; to: { address: string }[] }[]
    const own = mails.filter(({ to }) => to.some((recipient) => recipient.address === address))
    return /^ {4}(\d{6})$/m.exec(own.at(-1)?.text ?? '')?.[1]
  })
}

/** Replaces every key in turn, each by its three steps. */
async function replaceAll(
  rig: Rig,
  actors: { operator: ReturnType<typeof openOperator>; visitor: Shopper },
): Promise<void> {
  const { stack } = rig
  for (const key of keyNames) {
    for (const step of steps) {
      if (key === 'jwt' && step === 'remove') await sleep((tokenSeconds + 1) * 1_000)
      const since = Date.now()
      const restarted = await rotate(stack, key, step)
      rig.say(`${key}: ${step}, ${restarted} processes in ${Date.now() - since} ms`)
      if (key === 'jwt' && step === 'use') await verifyEmail(rig, actors.visitor)
      // A session ends with the token or the key that it was begun with.
      if (key.startsWith('operator') && step === 'use') {
        await actors.operator.signIn(stack.secrets.operatorToken)
      }
    }
  }
}

/** With the code that was mailed while the old key signed. */
async function verifyEmail(rig: Rig, { email, ask, answers }: Shopper): Promise<void> {
  const code = await mailedCode(rig.stack, email)
  await ask('POST', '/account/verify', 204, { body: { email, code } })
  rig.require(answers.unexpected.length === 0, `a code became invalid: ${answers.unexpected}`)
}

/** What was accepted before the rotation must not be any more. */
async function requireRefusals(rig: Rig, old: OwnStack['secrets']): Promise<void> {
  const { urls } = rig.stack
  const token = signAccessToken(
    { kid: old.jwt.kid, pem: old.jwt.privateKey },
    {
      ...{ accountId: newId(), sessionId: newId(), ttlSeconds: 60 },
      ...{ issuer: 'saga-orchestration', audience: 'shop' },
    },
  )
  const body = JSON.stringify({ id: 'evt_1' })
  const signed = signatureOf(body, old.provider.webhookSecret, Math.floor(Date.now() / 1_000))
  const bearer = (text: string) => ({ authorization: `Bearer ${text}` })
  const statusOf = async (answer: Promise<{ status: number }>) => (await answer).status
  const refusals: [KeyName, number, Promise<{ status: number }>][] = [
    ['jwt', 401, request(urls.api, 'GET', '/purchases', { token })],
    [
      'operator-token',
      401,
      fetch(`${urls.operators}/api/v1/console/session`, { headers: bearer(old.operatorToken) }),
    ],
    ['provider', 401, fetch(`${urls.provider}/simulator`, { headers: bearer(old.provider.key) })],
    [
      'webhook',
      400,
      fetch(`${urls.api}/api/v1/payments/webhooks`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'stripe-signature': signed },
        body,
      }),
    ],
  ]
  for (const [key, expected, answer] of refusals) {
    const status = await statusOf(answer)
    rig.require(status === expected, `the old ${key} is answered ${status}, not ${expected}`)
  }
}

async function rotateAll(rig: Rig): Promise<void> {
  const { stack } = rig
  const old = structuredClone(stack.secrets)
  const emails = Array.from({ length: shoppers + 1 }, () => `customer-${newId()}@example.com`)
  const [visitor, ...customers] = (await Promise.all(
    emails.map((email) => openShopper(stack.urls.api, email)),
  )) as [Shopper, ...Shopper[]]
  const { products } = await rig.buyers()
  const productId = products.at(-1)?.id ?? ''
  const operator = openOperator(stack, old.operatorToken)
  await operator.signIn()

  const rotating = replaceAll(rig, { operator, visitor })
  await Promise.all([
    rotating,
    operator.work(rotating),
    ...customers.map((customer) => customer.shop(rotating, productId)),
  ])
  const sum = (of: (shopper: Shopper) => number) =>
    customers.reduce((all, shopper) => all + of(shopper), 0)
  rig.say(
    `${sum(({ answers }) => answers.reads)} reads, ${sum(({ answers }) => answers.purchases)} purchases, ` +
      `${sum(({ answers }) => answers.refreshes)} refreshes, ${operator.reads()} of an operator`,
  )
  const unexpected = customers.flatMap(({ answers }) => answers.unexpected)
  for (const what of [...unexpected, ...operator.unexpected]) rig.require(false, what)
  await requireRefusals(rig, old)

  const report = await reconcile(addressesOf(stack), { waitSeconds: quietSeconds })
  for (const { ok, name, detail, purchaseIds } of report.checks) {
    rig.require(ok, `${name}: ${detail}`, purchaseIds)
  }
  rig.note(
    customers.flatMap(({ accepted }) =>
      accepted.map((purchaseId) => ({ status: 202, tries: 1, purchaseId })),
    ),
  )
}

/** Replaces every key of a running shop while customers and an operator work. Nobody may be refused. */
export async function runRotateKeys(
  { seed }: { seed: number },
  profile: Profile,
  print: (line: string) => void,
  signal?: AbortSignal,
): Promise<Result> {
  const own = await startOwnStack({
    replicas,
    env: {
      orchestrator: profileEnv(profile),
      account: { RATE_LIMIT_REGISTER: '100000/60', ACCESS_TOKEN_TTL_SECONDS: `${tokenSeconds}` },
    },
    ...(signal && { signal }),
  })
  const startedAt = Date.now()
  let ok = false
  try {
    const rig = await openRig({
      ...{ stack: own.stack, seed, purchases: 8, short: false, profile, print },
    })
    print(`\nrotate-keys: every key is replaced while customers buy (seed ${seed})`)
    try {
      await rotateAll(rig)
    } catch (error) {
      rig.require(false, `the drill broke off: ${(error as Error).message}`)
      print((error as Error).stack ?? '')
    }
    const { violations, accepted } = rig.findings()
    ok = violations.length === 0
    return {
      ...{ drill: 'rotate-keys', seed, ok, purchases: accepted.length, looks: 0 },
      outcomes: {},
      faults: { keys: keyNames.length },
      recoveryMs: null,
      seconds: Math.round((Date.now() - startedAt) / 1_000),
      violations,
    }
  } finally {
    await own.close({ keep: !ok })
    if (!ok) print(`the data is kept in ${own.stack.dataDir}`)
  }
}
