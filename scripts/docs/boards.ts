import { gridPosOf } from './board-grid.ts'
import { boards, type Panel, units } from './board-list.ts'
import { course, happenings, limits, pictureOf } from './pictures/boards/course.ts'

function panelOf({ title, queries, unit, kind = 'timeseries', limit }: Panel, index: number) {
  const steps = [
    { color: 'green', value: null },
    ...(limit === undefined ? [] : [{ color: 'red', value: limit }]),
  ]
  return {
    id: index + 1,
    title,
    type: kind,
    datasource: { type: 'prometheus', uid: 'prometheus' },
    gridPos: gridPosOf(index),
    fieldConfig: {
      defaults: {
        min: 0,
        unit: unit ?? 'short',
        thresholds: { mode: 'absolute', steps },
        ...(kind === 'timeseries' &&
          limit !== undefined && { custom: { thresholdsStyle: { mode: 'line' } } }),
      },
      overrides: [],
    },
    targets: queries.map(([expr, legendFormat], at) => ({
      refId: String.fromCharCode('A'.charCodeAt(0) + at),
      expr,
      legendFormat,
    })),
  }
}

/** The boards as Grafana reads them, by file name. */
export function renderBoards(): Record<string, string> {
  const rendered = boards.map(({ file, title, panels }) => {
    const board = {
      uid: `shop-${file}`,
      title,
      tags: ['shop'],
      timezone: 'browser',
      schemaVersion: 39,
      refresh: '15s',
      time: { from: 'now-1h', to: 'now' },
      panels: panels.map(panelOf),
    }
    return [`${file}.json`, `${JSON.stringify(board, null, 2)}\n`]
  })
  return Object.fromEntries(rendered)
}

/** Every query of the boards. */
export function boardQueries(): string[] {
  return boards.flatMap(({ panels }) =>
    panels.flatMap(({ queries }) => queries.map(([expr]) => expr)),
  )
}

/** Where Prometheus of `npm run up -- --observe` is. */
const prometheus = 'http://localhost:9094'

/** A page of Prometheus with the graphs of a board. */
function graphsOf(panels: Panel[]): string {
  const queries = panels.flatMap((panel) => panel.queries.map(([expr]) => expr))
  const graphs = queries.map(
    (expr, index) =>
      `g${index}.expr=${encodeURIComponent(expr).replace(/[()]/g, escapeParenthesis)}&g${index}.tab=0&g${index}.range_input=1h`,
  )
  return `${prometheus}/graph?${graphs.join('&')}`
}

/** Links of Markdown end with one. */
const escapeParenthesis = (text: string) => `%${text.charCodeAt(0).toString(16)}`

/** What the page says about its pictures. */
function sayCourse(): string {
  const marked = Object.values(happenings).map(({ mark, what }) => `- ${mark}: ${what}`)
  const smaller = Object.entries(limits).map(([name, value]) => `\`${name}=${value}\``)
  return `The pictures are not made by Grafana: \`npm run docs\` draws them from Prometheus, by the queries of the boards. They show ${course.seconds / 60} minutes
of one run of the whole shop, in which ${course.perSecond} purchases a second are made, one in ${course.declinedOneIn} with a card that is declined. Prometheus reads
every ${course.stepSeconds} seconds instead of 15, and has read for ${course.warmUpSeconds / 60} minutes before. Where the panels are shaded,

${marked.join('\n')}

Purchase has smaller limits than usual, so that there are refusals: ${smaller.join(', ')}.
The number in a legend is the largest value of its line. A panel without data in this run says so.`
}

/** The page that shows what is on each board, and leads to its graphs where there is no Grafana. */
export function renderBoardsPage(): string {
  const sections = boards.map(({ file, title, panels }) => {
    const rows = panels.map(({ title: shows, queries, unit = 'short', limit = '–' }) => {
      const exprs = queries.map(([expr]) => `\`${expr.replaceAll('|', '\\|')}\``)
      return `| ${shows} | ${units[unit]} | ${limit} | ${exprs.join('<br>')} |`
    })
    return `## ${title}

![The board “${title}” in one run: ${panels.length} panels, each with its lines, unit and limit](pictures/${pictureOf(file)})

[These graphs in Prometheus](${graphsOf(panels)})

| panel | in | red from | query |
|---|---|---|---|
${rows.join('\n')}
`
  })
  return `# Boards

Use this page to read what each board of Grafana shows, and to see the same graphs without Grafana: the links lead to Prometheus of
\`npm run up -- --observe\`. [observability.md](observability.md) says how to start either.

\`npm run docs -- --drawn\` makes this page and the boards from \`scripts/docs/board-list.ts\`.

${sayCourse()}

${sections.join('\n')}`
}
