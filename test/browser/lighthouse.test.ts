import assert from 'node:assert/strict'
import { type Found, installLighthouse, lookAt, publicPages } from '../../scripts/web/lighthouse.ts'
import { testStack } from '../helpers/stack.ts'
import { sellProduct, uniqueName } from './visitors.ts'

const categories = ['accessibility', 'best-practices'] as const
const leastScore = 95
const mostBytes = 150_000

describe('the first view of the public pages, by Lighthouse', function () {
  this.timeout(600_000)

  let found: Found[]

  // Paints are measured by `npm run web -- measure`: how fast they are is a matter of the machine too.
  before(async () => {
    await installLighthouse()
    const { urls } = await testStack()
    const { product } = await sellProduct(uniqueName('Jug'))
    const paths = publicPages.map((path) => path.replace(':id', product.id))
    found = await lookAt(urls.api, paths, categories)
  })

  it('has 95 of 100 at least in accessibility and best practices', () => {
    const low = found.flatMap(({ path, scores, failed }) =>
      categories
        .filter((name) => !((scores[name] ?? 0) >= leastScore))
        .map((name) => `${path}: ${name} ${scores[name]}: ${failed.join(' ')}`),
    )

    assert.equal(found.length, publicPages.length)
    assert.deepEqual(low, [])
  })

  it('weighs 150 KB at most, compressed, with all that it loads', () => {
    const heavy = found.filter(({ bytes }) => !(bytes > 1_000 && bytes <= mostBytes))

    assert.deepEqual(
      heavy.map(({ path, bytes }) => `${path}: ${bytes}`),
      [],
    )
  })
})
