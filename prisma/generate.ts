// Generates the six database clients: `node prisma/generate.ts`. Needs no network.
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import path from 'node:path'
import { promisify } from 'node:util'
import { type Database, databases } from './databases.ts'

const run = promisify(execFile)
const require = createRequire(import.meta.url)
const here = import.meta.dirname
const cli = path.join(path.dirname(require.resolve('prisma/package.json')), 'build/index.js')
const { version } = require('prisma/package.json') as { version: string }

async function generate(db: Database): Promise<string> {
  const started = performance.now()
  const client = path.join(here, db, 'client')
  const stamp = path.join(client, 'schema.sha256')
  const schema = await readFile(path.join(here, db, 'schema.prisma'))
  const hash = createHash('sha256').update(version).update(schema).digest('hex')
  if (existsSync(stamp) && (await readFile(stamp, 'utf8')) === hash) return `${db}: unchanged`

  await rm(client, { recursive: true, force: true })
  await run(process.execPath, [cli, 'generate', '--config', path.join(here, 'prisma.config.ts')], {
    env: {
      ...process.env,
      DB: db,
      // The CLI wants to download the schema engine although `generate` never starts it. Any
      // program satisfies the check. Never set this for `prisma migrate`: it would succeed and do nothing.
      PRISMA_SCHEMA_ENGINE_BINARY: process.execPath,
      CHECKPOINT_DISABLE: '1',
    },
  })
  await writeFile(stamp, hash)
  return `${db}: generated in ${((performance.now() - started) / 1000).toFixed(1)} s`
}

async function worker(queue: Iterable<Database>): Promise<void> {
  for (const db of queue) {
    try {
      console.log(await generate(db))
    } catch (error) {
      console.error(`${db}: ${(error as { stderr?: string }).stderr || error}`)
      process.exitCode = 1
    }
  }
}

// Two at a time, which is what two cores are good for.
const queue = databases.values()
await Promise.all([worker(queue), worker(queue)])
