import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { serviceNames } from '../../scripts/service-env.ts'
import { expectStatus, request } from '../../scripts/shop-client.ts'
import { waitFor } from '../../scripts/wait-for.ts'
import type { TokenPair } from '../../shared/contracts/account.ts'
import { codeIn, waitForMails } from '../helpers/mailbox.ts'
import { testStack } from '../helpers/stack.ts'

describe('the logs of all services', function () {
  this.timeout(60_000)

  /** Everything that was written since the stack was started, by whatever ran on it. */
  async function readLogs(): Promise<Map<string, string>> {
    const { dataDir } = await testStack()
    const read = serviceNames.map(async (name) => {
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

  it('hold no secret of a customer', async () => {
    const { api } = (await testStack()).urls
    const email = `canary-${randomBytes(6).toString('hex')}@example.com`
    const password = `canary-${randomBytes(9).toString('base64url')}`
    const form = {
      ...{ email, password, first_name: 'An', last_name: 'Ng' },
      ...{ address: '1 Le Loi', phone_number: '0901234567' },
    }
    const post = <T>(path: string, body: unknown, token?: string) =>
      request<T>(api, 'POST', path, { body, ...(token && { token }) })
    const pair = expectStatus(await post<TokenPair>('/account/register', form), 201)
    const [mail] = await waitForMails(email, 1)
    const code = codeIn(mail)

    // What goes wrong is what is logged.
    const { status } = await post('/account/login', { email, password: `${password}x` })
    assert.equal(status, 401)
    await post('/account/register', form)
    await post('/account/register', { ...form, role: password })
    await post(`/account/login?password=nothing`, { email, password, code })
    await post('/account/verify', { email, code, surprise: code })
    await post('/account/password/reset', { email, code, password })
    const next = await post<TokenPair>('/account/refresh', { refresh_token: pair.refresh_token })
    const forged = `${pair.access_token.slice(0, -8)}AAAAAAAA`
    await post('/purchases', { surprise: pair.refresh_token }, forged)
    await post('/purchases', { surprise: pair.refresh_token }, pair.access_token)
    await post('/account/logout', {}, pair.access_token)
    await waitFor('the log of a refused login', async () =>
      (await readLogs()).get('account')?.includes('/account/login?password=nothing'),
    ).catch(() => undefined)

    const [, , signature = ''] = pair.access_token.split('.')
    await assertAbsent({
      password,
      'an access token': pair.access_token,
      'the signature of an access token': signature,
      'a forged token': forged,
      'a refresh token': pair.refresh_token,
      'the next refresh token': next.body.refresh_token,
    })
    // Six digits are in many an id, so only where a code may stand by itself.
    const standsAlone = new RegExp(`["' :]${code}["' ,.]`)
    for (const name of ['account', 'mail']) {
      assert.doesNotMatch((await readLogs()).get(name) ?? '', standsAlone)
    }
  })

  it('hold no secret of the shop', async () => {
    const { secrets } = await testStack()
    const logs = [...(await readLogs()).values()].join('\n')
    const { postgres, minio, jwt } = secrets
    const passwords = Object.entries(postgres).map(([role, word]) => [
      `the password of ${role}`,
      word,
    ])

    await assertAbsent({
      ...Object.fromEntries(passwords),
      'the secret key of MinIO': minio.secretKey,
      'the signing key': jwt.privateKey.split('\n')[1] ?? '',
    })
    assert.doesNotMatch(logs, /PRIVATE KEY|postgres(ql)?:\/\/\w+:|\$argon2|Bearer ey/)
    assert.ok(logs.length > 1_000)
  })
})
