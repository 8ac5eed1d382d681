import { glob, readFile } from 'node:fs/promises'
import { join } from 'node:path'

export const checkout = join(import.meta.dirname, '../..')

export type Table = { header: string[]; rows: string[][] }

export const readDocument = (path: string) => readFile(join(checkout, path), 'utf8')

/** The paths of all documents, as seen from the checkout. */
export function listDocuments(): Promise<string[]> {
  return Array.fromAsync(glob('{*.md,docs/**/*.md}', { cwd: checkout }))
}

/** The text below a heading, up to the next one of its level or above. */
export function section(text: string, heading: string): string {
  const lines = text.split('\n')
  const start = lines.indexOf(heading)
  if (start === -1) throw new Error(`there is no heading "${heading}"`)
  const level = heading.indexOf(' ')
  const rest = lines.slice(start + 1)
  const end = rest.findIndex((line) => (/^(#+) /.exec(line)?.[1]?.length ?? 99) <= level)
  return rest.slice(0, end === -1 ? undefined : end).join('\n')
}

/** Every table of a text. */
export function tables(text: string): Table[] {
  const blocks = text.match(/(^\|.*\|$\n?)+/gm) ?? []
  return blocks.map((block) => {
    const [header = [], , ...rows] = block.trim().split('\n').map(cells)
    return { header, rows }
  })
}

function cells(line: string): string[] {
  return line
    .slice(1, -1)
    .split('|')
    .map((cell) => cell.trim())
}

/** The rows of the tables that have this header, as objects by column. */
export function rowsOf<C extends string>(text: string, ...columns: C[]): Record<C, string>[] {
  const fitting = tables(text).filter(({ header }) => header.join() === columns.join())
  const rows = fitting.flatMap((table) => table.rows)
  if (rows.length === 0) throw new Error(`there is no table ${columns.join(' | ')}`)
  return rows.map(
    (row) =>
      Object.fromEntries(columns.map((column, index) => [column, row[index] ?? ''])) as Record<
        C,
        string
      >,
  )
}

/** The texts between backticks. */
export function codes(text: string): string[] {
  return [...text.matchAll(/`([^`\n]+)`/g)].map(([, code = '']) => code)
}

/** The contents of fenced blocks of a language. */
export function fences(text: string, language: string): string[] {
  const blocks = text.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)
  return [...blocks].flatMap(([, name, block = '']) => (name === language ? [block] : []))
}

/** The anchors that the headings of a document get where Markdown is shown. */
export function anchorsOf(text: string): string[] {
  return [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\w\- ]/g, '')
      .replaceAll(' ', '-'),
  )
}
