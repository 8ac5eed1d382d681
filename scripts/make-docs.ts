import { writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { renderArchitecture } from './docs/architecture.ts'
import { renderBoards, renderBoardsPage } from './docs/boards.ts'
import { renderMetricsPage } from './docs/metrics-page.ts'
import { takePictures } from './docs/pictures/shoot.ts'
import {
  digestOf,
  digestsFile,
  readDigests,
  type SubjectName,
  subjectNames,
} from './docs/pictures/sources.ts'

/*
 * `npm run docs`: makes the pictures and generated pages of the documents. `-- --drawn` makes only what follows from
 * the sources. Pictures of the running shop are taken again when what they show has changed; `-- --all` takes every
 * one.
 */

const docs = join(import.meta.dirname, '../docs')

async function write(file: string, content: string): Promise<void> {
  await writeFile(join(docs, file), content)
  console.log(`docs/${file}`)
}

async function renewPictures(all: boolean): Promise<void> {
  const digests = await readDigests()
  const old: SubjectName[] = []
  for (const name of subjectNames) {
    if (all || digests[name] !== (await digestOf(name))) old.push(name)
  }
  if (old.length === 0) return
  await takePictures(old, {
    folder: dirname(digestsFile),
    async onTaken(name) {
      digests[name] = await digestOf(name)
      await write('pictures/digests.json', `${JSON.stringify(digests, undefined, 2)}\n`)
    },
  })
}

await write('architecture.svg', await renderArchitecture())
await write('metrics.md', await renderMetricsPage())
await write('boards.md', renderBoardsPage())
for (const [file, content] of Object.entries(renderBoards())) {
  await write(join('../deploy/observability/grafana/boards', file), content)
}
if (!process.argv.includes('--drawn')) await renewPictures(process.argv.includes('--all'))
