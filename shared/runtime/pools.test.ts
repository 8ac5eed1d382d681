import assert from 'node:assert/strict'
import { createMetrics } from './metrics.ts'
import { readPools, watchPool } from './pools.ts'

describe('the pools of a process', () => {
  it('are added up by name, and shown until they are closed', async () => {
    const name = crypto.randomUUID()
    const { registry } = createMetrics('test')
    const pool = watchPool(name, () => ({ limit: 10, open: 4, busy: 3, waiting: 2 }))
    const other = watchPool(name, () => ({ limit: 4, open: 1, busy: 1, waiting: 0 }))

    assert.deepEqual(readPools().get(name), { limit: 14, open: 5, busy: 4, waiting: 2 })
    const text = await registry.metrics()
    assert.match(text, new RegExp(`pool_limit\\{pool="${name}",service="test"\\} 14`))
    assert.match(text, new RegExp(`pool_uses\\{pool="${name}",state="waiting",service="test"\\} 2`))

    pool.close()
    other.close()
    assert.equal(readPools().has(name), false)
    assert.doesNotMatch(await registry.metrics(), new RegExp(name))
  })
})
