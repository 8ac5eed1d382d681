import { boards, type Panel } from './board-list.ts'

const columns = 2
const width = 24 / columns
const height = 8

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
    gridPos: {
      x: (index % columns) * width,
      y: Math.floor(index / columns) * height,
      w: width,
      h: height,
    },
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
