import { spawn } from 'node:child_process'
import { join } from 'node:path'

const root = join(import.meta.dirname, '..')
const modules = join(root, 'node_modules')
const checks = {
  types: [join(modules, 'typescript', 'bin', 'tsc'), '--project', '.'],
  lint: [join(modules, '@biomejs', 'biome', 'bin', 'biome'), 'check', '.'],
  audit: [join(import.meta.dirname, 'audit.ts')],
}

/** Runs one of Node's programs on the checkout, its output on ours. True when it exits 0. */
export function runNode(args: string[], env: Record<string, string> = {}): Promise<boolean> {
  const child = spawn(process.execPath, ['--disable-warning=TimeoutNegativeWarning', ...args], {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, ...env },
  })
  return new Promise((resolve) => child.once('exit', (code) => resolve(code === 0)))
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
