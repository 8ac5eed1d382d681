import { glob, readFile } from 'node:fs/promises'
import { join } from 'node:path'

type Metric = { name: string; type: string; labels: string[]; help: string; from: string }

const root = join(import.meta.dirname, '../..')
const declared =
  /new (Counter|Gauge|Histogram)\(\{\s*name: '(\w+)',\s*help:\s*'([^']+)',(?:\s*labelNames: \[([^\]]*)\])?/g
/** Caches and filters share a registry per process, so they declare theirs through a function. */
const shared = /\bcounter\((?:registry, )?'(\w+)', '([^']+)', '(\w+)'\)/g

const words = (list: string) => list.match(/\w+/g) ?? []

/** The metrics that a source file declares. `from` is its service, or its folder of shared/. */
function metricsIn(file: string, text: string): Metric[] {
  const from = file.split('/').slice(0, 2).join('/')
  const own = [...text.matchAll(declared)].map(
    ([, type = '', name = '', help = '', labels = '']) => ({
      name,
      type: type.toLowerCase(),
      labels: words(labels),
      help,
      from,
    }),
  )
  const [subject = 'cache'] = /labelNames: \['(\w+)', label\]/.exec(text)?.slice(1) ?? []
  const cached = [...text.matchAll(shared)].map(([, name = '', help = '', label = '']) => ({
    name,
    type: 'counter',
    labels: [subject, label],
    help,
    from,
  }))
  return [...own, ...cached]
}

/** Every metric of our own that the sources of services and shared/ declare, by name. */
export async function readMetrics(): Promise<Metric[]> {
  const files = await Array.fromAsync(glob('{services,shared}/**/*.ts', { cwd: root }))
  const sources = files.filter((file) => !file.endsWith('.test.ts')).sort()
  const found = await Promise.all(
    sources.map(async (file) => metricsIn(file, await readFile(join(root, file), 'utf8'))),
  )
  const byName = new Map<string, Metric>()
  for (const metric of found.flat()) {
    const known = byName.get(metric.name)
    byName.set(metric.name, known ? { ...known, from: `${known.from}, ${metric.from}` } : metric)
  }
  return [...byName.values()].sort((a, b) => a.name.localeCompare(b.name))
}

/** The reference page of the metrics. */
export async function renderMetricsPage(): Promise<string> {
  const rows = (await readMetrics()).map(
    ({ name, type, labels, help, from }) =>
      `| \`${name}\` | ${type} | ${labels.map((label) => `\`${label}\``).join(', ') || '–'} | ${help} | \`${from}\` |`,
  )
  return `# Metrics

Every process serves its metrics in the Prometheus format at \`/metrics\` on its own port ([ports](configuration.md#ports)); Traefik has no
route to it. Every metric has the label \`service\`. Beside the metrics below there are the default metrics of prom-client: CPU, memory, garbage
collection and event loop delay, as \`process_*\` and \`nodejs_*\`. Traefik serves its own metrics (\`traefik_*\`) at \`/metrics\` of its dashboard,
and the orchestrator those of the Temporal SDK (\`temporal_*\`) at \`TEMPORAL_METRICS_ADDRESS\`. Times are in seconds, and a histogram has a
\`_bucket\`, a \`_sum\` and a \`_count\`.

An inbox has no backlog of its own: a command that nobody has handled is lag of its group (\`kafka_consumer_lag\`), and its row is committed with its
effect. Only payment begins a command before it has the answer, while the provider is asked: \`payments_pending\` counts those.

\`npm run docs -- --drawn\` makes this page from the sources.

| metric | type | labels | meaning | declared in |
|---|---|---|---|---|
${rows.join('\n')}
`
}
