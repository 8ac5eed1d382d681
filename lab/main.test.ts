import assert from 'node:assert/strict'
import { type LabState, labRoutes } from '../shared/contracts/lab.ts'
import type { Problem } from '../shared/contracts/problem.ts'
import { createLogger } from '../shared/runtime/logger.ts'
import { operators } from '../test/helpers/operators.ts'
import { start } from './main.ts'

const nowhere = 'postgresql://127.0.0.1:1/none'

describe('the failure lab', () => {
  async function open(APP_ENV: 'local' | 'production') {
    return start(
      {
        HTTP_HOST: '127.0.0.1',
        HTTP_PORT: 0,
        LOG_LEVEL: 'silent',
        MAX_IN_FLIGHT: 16,
        CORS_ORIGINS: [],
        DRAIN_NOTICE_MS: 0,
        APP_ENV,
        ...operators.config,
        SHOP_URL: 'http://127.0.0.1:1',
        OPERATOR_API_URL: 'http://127.0.0.1:1',
        PRODUCT_DATABASE_URL: nowhere,
        ORDER_DATABASE_URL: nowhere,
        PAYMENT_DATABASE_URL: nowhere,
        PURCHASE_DATABASE_URL: nowhere,
        STRIPE_API_URL: 'http://127.0.0.1:1',
        STRIPE_API_KEY: 'sk_test_none',
        STACK_DATA: '',
      },
      createLogger('lab', 'silent'),
    )
  }

  const bodies: Record<string, object> = {
    breakSomething: { kind: 'decline-payments', percent: 50, seconds: 60 },
    startBuyers: { per_second: 1, seconds: 5 },
    startTour: { name: 'two-hundred-buyers' },
  }

  const ask = (port: number, name: string, headers: Record<string, string>) => {
    const { method, path } = labRoutes[name as keyof typeof labRoutes]
    return fetch(`http://127.0.0.1:${port}/api/v1${path}`, {
      method: method.toUpperCase(),
      headers: { 'content-type': 'application/json', ...headers },
      ...(method === 'post' && { body: JSON.stringify(bodies[name] ?? {}) }),
    })
  }
  const own = { authorization: `Bearer ${operators.token}` }

  it('is refused by the server in production, every route of it', async () => {
    const lab = await open('production')
    try {
      for (const name of Object.keys(labRoutes)) {
        assert.equal((await ask(lab.port, name, own)).status, 403, name)
      }
    } finally {
      await lab.close()
    }
  })

  it('is for operators only, and offers without a launcher what needs none', async () => {
    const lab = await open('local')
    try {
      for (const name of Object.keys(labRoutes)) {
        assert.equal((await ask(lab.port, name, {})).status, 401, name)
      }
      const state = (await (await ask(lab.port, 'getLab', own)).json()) as LabState
      assert.deepEqual(
        state.offered.map(({ kind }) => kind),
        ['decline-payments'],
      )
      assert.deepEqual(state.tours, ['two-hundred-buyers'])
      const broken = (await (await ask(lab.port, 'breakSomething', own)).json()) as LabState
      assert.equal(broken.switches[0]?.percent, 50)
      assert.equal((await ask(lab.port, 'breakSomething', own)).status, 409)
    } finally {
      await lab.close()
    }
  })

  it('names the field and the rule of what it does not take', async () => {
    const lab = await open('local')
    const send = async (path: string, body: object) => {
      const response = await fetch(`http://127.0.0.1:${lab.port}/api/v1/lab/${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...own },
        body: JSON.stringify(body),
      })
      const { errors } = (await response.json()) as Problem
      return [response.status, errors?.[0]?.field]
    }
    try {
      const decline = { kind: 'decline-payments', seconds: 5 }
      assert.deepEqual(await send('switches', { ...decline, seconds: 1e6 }), [400, 'seconds'])
      assert.deepEqual(await send('switches', { ...decline, percent: 0 }), [400, 'percent'])
      assert.deepEqual(await send('switches', { ...decline, target: 'order' }), [422, 'target'])
      assert.deepEqual(await send('switches', { kind: 'x', seconds: 5 }), [400, 'kind'])
      const kill = { kind: 'kill-service', target: 'payment', seconds: 5 }
      assert.deepEqual(await send('switches', kill), [422, 'kind'])
      assert.deepEqual(await send('tour', { name: 'kill-payment' }), [422, 'name'])
      assert.deepEqual(await send('buyers', { per_second: 1e3, seconds: 5 }), [400, 'per_second'])
    } finally {
      await lab.close()
    }
  })
})
