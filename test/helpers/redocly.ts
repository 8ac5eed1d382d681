import { join } from 'node:path'
import { cached } from '../../scripts/stack/cache.ts'
import { run } from '../../scripts/stack/run-command.ts'

type Redocly = {
  createConfig(config: { extends: string[] }): Promise<object>
  lintFromString(options: {
    source: string
    config: object
  }): Promise<{ ruleId: string; message: string; location: { pointer?: string }[] }[]>
}

const linter = '@redocly/openapi-core'
const version = '2.64.0'

/** Installs take seconds, once on a machine. */
export const installTimeoutMs = 120_000

/** Not among the packages of the checkout, which are installed with the shop: only tests need its 30 MB. */
async function load(): Promise<Redocly> {
  const dir = await cached(
    `redocly-openapi-core-${version}`,
    () => undefined,
    async (target) => {
      const options = [
        '--no-save',
        '--no-audit',
        '--no-fund',
        '--ignore-scripts',
        '--prefix',
        target,
      ]
      await run('npm', ['install', ...options, `${linter}@${version}`], { cwd: target })
    },
  )
  return import(join(dir, 'node_modules', linter, 'lib/index.js'))
}

/** What of an OpenAPI document breaks a rule that Redocly recommends, errors and warnings alike. */
export async function redoclyProblems(document: object): Promise<string[]> {
  const { createConfig, lintFromString } = await load()
  const config = await createConfig({ extends: ['recommended'] })
  const problems = await lintFromString({ source: JSON.stringify(document), config })
  return problems.map(({ ruleId, message, location: [place] }) => {
    return `${ruleId}: ${message} (${place?.pointer})`
  })
}
