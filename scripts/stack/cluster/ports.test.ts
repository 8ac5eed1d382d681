import assert from 'node:assert/strict'
import { type PortName, portNumbers, resolvePorts } from '../ports.ts'
import { replicaPort } from '../replicas.ts'
import { serviceNames } from '../services.ts'
import { brokerPorts, serverPorts, temporalPorts } from './ports.ts'

const names = Object.keys(resolvePorts(0, {})) as PortName[]

describe('the ports of a cluster', () => {
  it('leave those of a single engine to what clients connect to', () => {
    const ports = resolvePorts(0, {})

    assert.equal(brokerPorts(ports)[0]?.client, ports.kafka)
    assert.ok(!serverPorts(ports).includes(ports.postgres))
    assert.ok(!temporalPorts(ports).some(({ frontend }) => frontend.grpc === ports.temporal))
  })

  it('move with the port of their engine', () => {
    const ports = resolvePorts(0, { POSTGRES_PORT: '15000' })

    assert.deepEqual(portNumbers(ports, 'postgres', 'cluster'), [15_000, 15_200, 15_400])
    assert.deepEqual(portNumbers(ports, 'postgres'), [15_000])
  })

  it('are shared by none of the 25 stacks that may run beside each other', () => {
    const ofStack = (offset: number) => {
      const ports = resolvePorts(offset, {})
      const replicas = [2, 3, 4, 5].flatMap((replica) =>
        serviceNames.map((name) => replicaPort(ports[name], replica)),
      )
      return [...names.flatMap((name) => portNumbers(ports, name, 'cluster')), ...replicas]
    }

    const all = Array.from({ length: 25 }, (_, index) => ofStack(10_006 + index * 8)).flat()

    assert.equal(new Set(all).size, all.length)
  })
})
