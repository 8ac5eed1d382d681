import assert from 'node:assert/strict'
import { z } from 'zod'
import { databaseEnv } from '../database/config.ts'
import { authEnv } from '../http/auth.ts'
import { kafkaEnv } from '../kafka/config.ts'
import { ConfigError, env, loadConfig, processEnv } from './config.ts'

const breaks = (message: RegExp) => (error: unknown) =>
  error instanceof ConfigError && message.test(error.message)

describe('loadConfig', () => {
  it('reads and converts what is set and takes defaults for the rest', () => {
    const config = loadConfig(
      { ...processEnv, ...kafkaEnv },
      { HTTP_PORT: '3001', KAFKA_BROKERS: '127.0.0.1:9092, 127.0.0.1:9093' },
    )

    assert.deepEqual(config, {
      HTTP_HOST: '127.0.0.1',
      HTTP_PORT: 3001,
      LOG_LEVEL: 'info',
      MAX_IN_FLIGHT: 1024,
      CORS_ORIGINS: [],
      DRAIN_NOTICE_MS: 1000,
      APP_ENV: 'production',
      KAFKA_BROKERS: ['127.0.0.1:9092', '127.0.0.1:9093'],
      KAFKA_TOPIC_PREFIX: '',
      CONSUMER_CONCURRENCY: 64,
      FAULTS: [],
      FAULT_SEED: 1,
    })
  })

  it('contains only declared variables, and is frozen', () => {
    const config = loadConfig({ NAME: env.text }, { NAME: 'a', SECRET: 'b' })

    assert.deepEqual(config, { NAME: 'a' })
    assert.ok(Object.isFrozen(config))
  })

  it('refuses faults in production, and accepts them elsewhere', () => {
    const faults = JSON.stringify([{ message: 'drop', topics: ['replies'] }])
    const load = (appEnv: Record<string, string>) =>
      loadConfig(
        { ...processEnv, ...kafkaEnv },
        { HTTP_PORT: '1', KAFKA_BROKERS: 'a:1', FAULTS: faults, ...appEnv },
      )

    assert.equal(load({ APP_ENV: 'local' }).FAULTS.length, 1)
    assert.throws(() => load({ APP_ENV: 'production' }), breaks(/FAULTS: not in production/))
    assert.throws(() => load({}), breaks(/FAULTS: not in production/))
  })

  it('names every variable that is missing', () => {
    const load = () => loadConfig({ ...processEnv, ...databaseEnv }, {})

    assert.throws(load, breaks(/HTTP_PORT: .*; DATABASE_URL: /))
  })

  it('treats an empty variable as not set', () => {
    const load = (environment: Record<string, string>) =>
      loadConfig({ ...processEnv, LIMIT: env.count.default(5), NAME: env.text }, environment)

    assert.equal(load({ HTTP_PORT: '1', NAME: 'a', LIMIT: '', LOG_LEVEL: '' }).LIMIT, 5)
    assert.throws(() => load({ HTTP_PORT: '', NAME: '' }), breaks(/HTTP_PORT: .*; NAME: /))
  })

  for (const [variable, schema, value] of [
    ['PORT', env.port, '65536'],
    ['PORT', env.port, '-1'],
    ['PORT', env.port, '80.5'],
    ['PORT', env.port, 'http'],
    ['COUNT', env.count, '0'],
    ['WAIT_MS', env.durationMs, '10s'],
    ['NODES', env.list, 'a:1,,b:2'],
    ['KEYS', env.json(z.record(z.string(), z.string())), '{'],
    ['KEYS', env.json(z.record(z.string(), z.string())), '[]'],
    ['LOG_LEVEL', processEnv.LOG_LEVEL, 'loud'],
    ['DATABASE_URL', databaseEnv.DATABASE_URL, 'mysql://127.0.0.1/db'],
    ['JWT_VERIFY_KEYS', authEnv.JWT_VERIFY_KEYS, '{"kid":1}'],
    ['JWT_VERIFY_KEYS', authEnv.JWT_VERIFY_KEYS, '{"kid":"no key"}'],
  ] as const) {
    it(`refuses ${variable}=${value}`, () => {
      const load = () => loadConfig({ [variable]: schema }, { [variable]: value })

      assert.throws(load, breaks(new RegExp(`^invalid configuration: ${variable}[:.]`)))
    })
  }

  it('never tells a value, which may be a secret', () => {
    const shape = { ...processEnv, ...databaseEnv, ...authEnv }
    const secrets = Object.fromEntries(Object.keys(shape).map((name) => [name, 'hunter2']))

    assert.throws(
      () => loadConfig(shape, secrets),
      (error: Error) => /DATABASE_URL/.test(error.message) && !/hunter2/.test(error.message),
    )
  })
})
