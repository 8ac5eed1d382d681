import assert from 'node:assert/strict'
import { sumOf, unevenness } from './replicas.ts'

describe('the load of replicas', () => {
  const metrics = `# TYPE grpc_server_duration_seconds histogram
grpc_server_duration_seconds_count{method="GetProducts",code="OK",service="product"} 12
grpc_server_duration_seconds_count{method="CheckProducts",code="OK",service="product"} 3
grpc_server_duration_seconds_count_other 99
`

  it('adds up the samples that have the labels', () => {
    assert.equal(sumOf(metrics, 'grpc_server_duration_seconds_count'), 15)
    assert.equal(
      sumOf(metrics, 'grpc_server_duration_seconds_count', { method: 'GetProducts' }),
      12,
    )
    assert.equal(sumOf(metrics, 'grpc_server_duration_seconds_count', { method: 'Get' }), 0)
  })

  it('is as uneven as the one that is farthest from the mean', () => {
    assert.equal(unevenness([10, 10, 10]), 0)
    assert.equal(unevenness([5, 10, 15]), 0.5)
    assert.equal(unevenness([0, 0]), 0)
  })
})
