import assert from 'node:assert/strict'
import { join } from 'node:path'
import { withoutStack } from './unit-tests.ts'

describe('npm run test:unit', () => {
  it('runs tests that import nothing of a stack, and leaves out those that do at any distance', async () => {
    const alone = ['shared/contracts/money.test.ts', 'bench/stats.test.ts']
    const onStack = ['test/e2e/purchase.test.ts', 'services/purchase/checkout.test.ts']

    const chosen = await withoutStack(join(import.meta.dirname, '..'), [...alone, ...onStack])

    assert.deepEqual(chosen, alone)
  })
})
