import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { createMetrics } from './metrics.ts'

describe('the metrics of a process', () => {
  it('name the version of the shop and of Node', async () => {
    const manifest = await readFile(new URL('../../package.json', import.meta.url), 'utf8')
    const { version } = JSON.parse(manifest) as { version: string }
    const text = await createMetrics('order').registry.metrics()

    const labels = `version="${version}",node_version="${process.version}",service="order"`
    assert.ok(text.includes(`shop_build_info{${labels}} 1\n`))
  })

  it('have what the alerts read of every process: its start, CPU and event loop delay', async () => {
    const text = await createMetrics('order').registry.metrics()

    for (const name of [
      'process_start_time_seconds',
      'process_cpu_seconds_total',
      'nodejs_eventloop_lag_p99_seconds',
    ]) {
      assert.match(text, new RegExp(`^${name}\\{service="order"\\} [\\d.e-]+$`, 'm'), name)
    }
  })
})
