import assert from 'node:assert/strict'
import { portNumbers, resolvePorts } from './ports.ts'
import { parseReplicas, replicaName, replicaNumbers, replicaPort } from './replicas.ts'
import { serviceNames } from './services.ts'

describe('the replicas of a stack', () => {
  it('are one of each service unless said otherwise', () => {
    const replicas = parseReplicas('product=2,order=3')

    assert.deepEqual(replicaNumbers(replicas, 'order'), [1, 2, 3])
    assert.deepEqual(replicaNumbers(replicas, 'mail'), [1])
    assert.deepEqual(replicaNumbers(parseReplicas(''), 'order'), [1])
  })

  it('are named after the first', () => {
    assert.deepEqual(
      [1, 2].map((replica) => replicaName('order', replica)),
      ['order', 'order-2'],
    )
  })

  for (const text of ['shop=2', 'order=0', 'order=6', 'order', 'order=1.5']) {
    it(`are not ${text}`, () => {
      assert.throws(() => parseReplicas(text), /STACK_REPLICAS/)
    })
  }

  it('share no port with any of the 25 stacks that may run beside each other', () => {
    const names = Object.keys(resolvePorts(0, {})) as (keyof ReturnType<typeof resolvePorts>)[]
    const grpc = [
      'accountGrpc',
      'productGrpc',
      'purchaseGrpc',
      'orchestratorGrpc',
      'mediaGrpc',
    ] as const
    const ofStack = (offset: number) => {
      const ports = resolvePorts(offset, {})
      const replicas = [2, 3, 4, 5].flatMap((replica) =>
        [...serviceNames, ...grpc].map((name) => replicaPort(ports[name], replica)),
      )
      return [...names.flatMap((name) => portNumbers(ports, name)), ...replicas]
    }

    const all = Array.from({ length: 25 }, (_, index) => ofStack(10_006 + index * 8)).flat()

    assert.equal(new Set(all).size, all.length)
  })
})
