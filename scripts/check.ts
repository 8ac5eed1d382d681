import { join } from 'node:path'
import { runNode } from './stack/run-node.ts'

const root = join(import.meta.dirname, '..')
const modules = join(root, 'node_modules')
const checks = {
  types: [join(modules, 'typescript', 'bin', 'tsc'), '--project', '.'],
  'types of the front end': [
    join(modules, 'typescript', 'bin', 'tsc'),
    ...['--project', 'web', '--noEmit'],
  ],
  'types of the browser tests': [
    join(modules, 'typescript', 'bin', 'tsc'),
    ...['--project', 'test/browser', '--noEmit'],
  ],
  lint: [join(modules, '@biomejs', 'biome', 'bin', 'biome'), 'check', '.'],
  audit: [join(import.meta.dirname, 'audit.ts')],
}

/** Types, lint and advisories: what a change must pass before any test. */
export async function check(): Promise<{ passed: number; failed: number }> {
  let passed = 0
  for (const [name, args] of Object.entries(checks)) {
    const ok = await runNode(args)
    console.log(`${ok ? '✔' : '✘'} ${name}`)
    if (ok) passed++
  }
  return { passed, failed: Object.keys(checks).length - passed }
}

if (import.meta.main) process.exitCode = (await check()).failed === 0 ? 0 : 1
