import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createOpenApiDocument } from '../../shared/http/openapi.ts'
import { createOperatorDocument } from '../../shared/http/operator-docs.ts'
import { cached } from '../stack/cache.ts'
import { run } from '../stack/run-command.ts'

const web = join(import.meta.dirname, '../../web/src')

/** The files of types, each with the document that they follow from. */
export const apiTypes = [
  { file: join(web, 'api/schema.ts'), document: createOpenApiDocument },
  { file: join(web, 'console/schema.ts'), document: createOperatorDocument },
]

/**
 * Not among the packages of the checkout: the generator needs a TypeScript with the compiler's old interface, which the
 * TypeScript that checks this project no longer has.
 */
const generator = { 'openapi-typescript': '7.13.0', typescript: '5.9.3' }

const install = (): Promise<string> =>
  cached(`openapi-typescript-${generator['openapi-typescript']}`, console.log, async (dir) => {
    const packages = Object.entries(generator).map(([name, version]) => `${name}@${version}`)
    const options = ['--no-save', '--no-audit', '--no-fund', '--ignore-scripts', '--prefix', dir]
    await run('npm', ['install', ...options, ...packages], { cwd: dir })
  })

/** The types of an API client of the front end, as they follow from a document of today's contracts. */
export async function renderApiTypes(document: () => object): Promise<string> {
  const tool = await install()
  const dir = await mkdtemp(join(tmpdir(), 'saga-api-types-'))
  try {
    const file = join(dir, 'openapi.json')
    await writeFile(file, JSON.stringify(document()))
    const program = join(tool, 'node_modules/openapi-typescript/bin/cli.js')
    return await run(process.execPath, [program, file, '--alphabetize'])
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}
