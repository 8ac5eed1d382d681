import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { consumerGroups } from '../../shared/contracts/groups.ts'

const checkout = join(import.meta.dirname, '../..')

describe('the consumer groups of the shop', () => {
  it('are those that the services name', () => {
    const files = globSync('services/**/*.ts', { cwd: checkout }).filter(
      (file) => !file.endsWith('.test.ts'),
    )
    const named = files.flatMap((file) => {
      const text = readFileSync(join(checkout, file), 'utf8')
      return [...text.matchAll(/\bgroup: '([^']+)'/g)].map(([, group]) => group)
    })

    assert.deepEqual(named.sort(), [...consumerGroups])
  })
})
