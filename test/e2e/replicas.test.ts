import assert from 'node:assert/strict'
import { inParallel } from '../../bench/in-parallel.ts'
import { connectKafkaTraffic } from '../../bench/kafka-traffic.ts'
import { openShop, postPurchases } from '../../bench/load.ts'
import { printReport, reconcile } from '../../bench/reconcile.ts'
import { type ReplicaLoad, readReplicaLoads, unevenness } from '../../bench/replicas.ts'
import { addressesOf } from '../../scripts/stack/addresses.ts'
import { newId } from '../../shared/contracts/ids.ts'
import type { Topic } from '../../shared/contracts/topics.ts'
import { connectGrpc } from '../../shared/grpc/client.ts'
import { type OwnStack, startOwnStack } from '../helpers/own-stack.ts'

const purchases = 60
/** Purchases that come at once share a call, so they alone say little of how calls are spread. */
const calls = 300

describe('product and order with three replicas each', function () {
  this.timeout(900_000)

  let own: OwnStack
  let sent: { product: number; order: number }
  let loads: { product: ReplicaLoad[]; order: ReplicaLoad[] }

  before(async () => {
    own = await startOwnStack({ replicas: { product: 3, order: 3 } })
    const shop = await openShop(own.stack.urls.api, 5)
    const posts = await postPurchases(
      shop,
      { purchases, inFlight: 10, methods: ['sim_ok'] },
      () => {},
    )
    assert.ok(posts.every(({ purchaseId }) => purchaseId))
    const report = await reconcile(addressesOf(own.stack), { waitSeconds: 120 })
    if (!report.ok) printReport(report)
    assert.ok(report.ok, 'the reconciler found a violation')
    const kafka = await connectKafkaTraffic(own.stack.urls.kafkaBrokers)
    const position = await kafka.position()
    await kafka.close()
    const messages = (topic: Topic) =>
      [...(position.get(topic)?.values() ?? [])].reduce((sum, end) => sum + Number(end), 0)
    sent = { product: messages('product-commands'), order: messages('order-commands') }
    loads = {
      product: await readReplicaLoads(own.stack, 'product'),
      order: await readReplicaLoads(own.stack, 'order'),
    }
  })

  after(() => own?.close())

  it('share gRPC calls evenly', async () => {
    const client = connectGrpc('product', own.stack.urls.grpc, { deadlineMs: 30_000 })
    await inParallel(Array.from({ length: calls }), 32, () =>
      client.GetProducts({ product_ids: [newId()] }),
    )
    client.close()

    const answered = (await readReplicaLoads(own.stack, 'product')).map(
      ({ grpcCalls }, index) => grpcCalls - (loads.product[index]?.grpcCalls ?? 0),
    )
    assert.equal(answered.length, 3)
    assert.equal(
      answered.reduce((sum, count) => sum + count, 0),
      calls,
    )
    assert.ok(unevenness(answered) <= 0.1, answered.join(' '))
  })

  for (const service of ['product', 'order'] as const) {
    it(`share the commands of ${service}, each handled by one of them`, () => {
      const commands = loads[service].map((replica) => replica.commands)

      assert.ok(
        commands.every((count) => count > 0),
        commands.join(' '),
      )
      assert.equal(
        commands.reduce((sum, count) => sum + count, 0),
        sent[service],
      )
    })
  }
})
