/** Columns as wide as their widest cell, one line per row; numbers are right-aligned. */
export function formatTable(rows: (string | number)[][]): string {
  const widths: number[] = []
  for (const row of rows) {
    for (const [column, cell] of row.entries()) {
      widths[column] = Math.max(widths[column] ?? 0, `${cell}`.length)
    }
  }
  const pad = (cell: string | number, width = 0) =>
    typeof cell === 'number' ? `${cell}`.padStart(width) : cell.padEnd(width)
  const lines = rows.map((row) => row.map((cell, column) => pad(cell, widths[column])).join('  '))
  return lines.map((line) => line.trimEnd()).join('\n')
}
