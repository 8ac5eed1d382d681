import assert from 'node:assert/strict'
import { useOf } from './processes.ts'

const look = (name: string, pid: number, cpu: number, rss: number) =>
  ({ name, kind: 'service', pid, cpu, rss }) as const

describe('what processes use', () => {
  it('adds up a process over its restart', () => {
    const { processes } = useOf([
      [look('order', 1, 10, 90)],
      [look('order', 1, 12, 95)],
      [look('order', 2, 1, 80)],
      [look('order', 2, 4, 85)],
    ])

    assert.deepEqual(processes, [
      { name: 'order', kind: 'service', cpuSeconds: 6, rssStart: 90, rssEnd: 85, rssMax: 95 },
    ])
  })

  it('takes the most that all services used at one moment', () => {
    const { servicesRssMax } = useOf([
      [look('order', 1, 0, 100), look('product', 2, 0, 50)],
      [look('order', 1, 0, 60), look('product', 2, 0, 80)],
    ])

    assert.equal(servicesRssMax, 150)
  })
})
