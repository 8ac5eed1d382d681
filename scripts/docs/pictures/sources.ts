import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { purchaseChecks } from '../../../bench/rules.ts'
import { boards } from '../board-list.ts'
import { pictureOf } from './boards/course.ts'

const checkout = join(import.meta.dirname, '../../..')
const frame = ['web/src/styles.css', 'web/src/app.tsx']
const consoleFrame = [
  'web/src/styles.css',
  'web/src/console/console.css',
  'web/src/console/frame.tsx',
]
/** What a workflow schedules, and what that calls. */
const saga = ['workflows/index.ts', 'activities/index.ts', 'shared/contracts/steps.ts']

type Subject = {
  /** Files in docs/pictures. */
  files: string[]
  /** What is shown: these files and all that they import. */
  from: string[]
  /** Texts in it that come from elsewhere. */
  texts?: string[]
}

const inBoth = (name: string) => [`${name}-light.webp`, `${name}-dark.webp`]

/** The pictures of the running shop, and the sources of what they show. */
export const subjects = {
  shop: { files: inBoth('shop'), from: [...frame, 'web/src/pages/home.tsx'] },
  purchase: {
    files: [...inBoth('purchase'), 'purchase.webp'],
    from: [...frame, 'web/src/pages/purchase.tsx'],
  },
  console: { files: inBoth('console'), from: [...consoleFrame, 'web/src/console/saga.tsx'] },
  lab: {
    files: inBoth('lab'),
    from: [...consoleFrame, 'web/src/console/lab.tsx'],
    texts: purchaseChecks,
  },
  'temporal-ui': {
    files: ['temporal-ui.webp'],
    from: ['scripts/docs/pictures/temporal-ui.ts', ...saga],
  },
  trace: {
    files: ['trace.webp'],
    from: ['scripts/docs/pictures/zipkin.ts', ...saga],
  },
  boards: {
    files: boards.map(({ file }) => pictureOf(file)),
    from: [
      'scripts/docs/board-list.ts',
      'scripts/docs/pictures/boards/board.ts',
      'deploy/observability/objectives.yml',
    ],
  },
} satisfies Record<string, Subject>
export type SubjectName = keyof typeof subjects
export const subjectNames = Object.keys(subjects) as SubjectName[]

/** Where the digest of each subject is, as it was when its pictures were taken. */
export const digestsFile = join(checkout, 'docs/pictures/digests.json')

/** Types leave no trace in a page, so their files do not count. */
const importOf = /^(?:import|export) (?!type )[^']*? from '(\.[^']+)'/gm
const styleImportOf = /^@import "(\.[^"]+)"/gm

/** The given files and all that they import, directly or not. What is loaded later (`import()`) is not followed. */
export async function sourcesOf(entries: readonly string[]): Promise<Map<string, string>> {
  const texts = new Map<string, string>()
  const open = [...entries]
  for (let file = open.pop(); file !== undefined; file = open.pop()) {
    if (texts.has(file)) continue
    const text = await readFile(join(checkout, file), 'utf8')
    texts.set(file, text)
    const imports = text.matchAll(file.endsWith('.css') ? styleImportOf : importOf)
    for (const [, path = ''] of imports) open.push(join(dirname(file), path))
  }
  return texts
}

/** Changes with anything that the pictures of a subject show. */
export async function digestOf(name: SubjectName): Promise<string> {
  const hash = createHash('sha256')
  const sources = [...(await sourcesOf(subjects[name].from))]
  for (const [file, text] of sources.sort(([a], [b]) => a.localeCompare(b))) {
    hash.update(`${file}\0${text}\0`)
  }
  const { texts = [] }: Subject = subjects[name]
  for (const text of texts) hash.update(`${text}\0`)
  return hash.digest('hex').slice(0, 16)
}

export async function readDigests(): Promise<Partial<Record<SubjectName, string>>> {
  return JSON.parse(await readFile(digestsFile, 'utf8').catch(() => '{}'))
}
