import { execFile, spawn } from 'node:child_process'
import { cp, glob, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'

const checkout = join(import.meta.dirname, '../..')

/** `passes`: how many tests did; `red`: the full titles of those that did not. */
export type Outcome = { passes: number; red: string[] }

/** A copy of the checkout to change. Packages and generated clients are shared with it. */
export async function copyCheckout() {
  const folder = await mkdtemp(join(tmpdir(), 'saga-copy-'))
  const { stdout } = await promisify(execFile)(
    'git',
    ['ls-files', '--cached', '--others', '--exclude-standard', '-z'],
    { cwd: checkout, maxBuffer: 16_000_000 },
  )
  for (const file of stdout.split('\0').filter(Boolean)) {
    await mkdir(dirname(join(folder, file)), { recursive: true })
    // Git also lists a file whose deletion is not committed.
    await cp(join(checkout, file), join(folder, file)).catch(() => undefined)
  }
  await symlink(join(checkout, 'node_modules'), join(folder, 'node_modules'))
  const clients = await Array.fromAsync(glob('prisma/*/client', { cwd: checkout }))
  for (const client of clients) await symlink(join(checkout, client), join(folder, client))

  return {
    folder,
    /** Changes a file of the copy, and returns its old text. Throws if the change has no effect. */
    async change(file: string, change: (text: string) => string): Promise<string> {
      const text = await readFile(join(folder, file), 'utf8')
      const changed = change(text)
      if (changed === text) throw new Error(`the change does not fit ${file}`)
      await writeFile(join(folder, file), changed)
      return text
    },
    async write(file: string, text: string): Promise<void> {
      await mkdir(dirname(join(folder, file)), { recursive: true })
      await writeFile(join(folder, file), text)
    },
    /** The compiler's errors, one per line, as `<file>(<line>,<column>): error …`. */
    async typeErrors(): Promise<string[]> {
      const compiler = join(folder, 'node_modules/typescript/bin/tsc')
      const { stdout } = await run(folder, [compiler, '--project', '.', '--pretty', 'false'])
      return stdout.split('\n').filter((line) => line.includes(': error TS'))
    },
    /** Runs test files of the copy, or the tests whose title fits. A run that does not end is red as a whole. */
    async runTests(
      files: string[],
      { env = {}, grep }: { env?: Record<string, string>; grep?: string } = {},
    ): Promise<Outcome> {
      const report = join(folder, 'report.json')
      await rm(report, { force: true })
      await run(
        folder,
        [
          '--disable-warning=TimeoutNegativeWarning',
          join(folder, 'node_modules/mocha/bin/mocha.js'),
          ...['--timeout', '120000', '--reporter', 'json'],
          ...['--reporter-option', `output=${report}`],
          ...(grep ? ['--grep', grep] : []),
          ...files,
        ],
        env,
      )
      const text = await readFile(report, 'utf8').catch(() => undefined)
      if (text === undefined) return { passes: 0, red: ['(the run did not end)'] }
      const { stats, failures } = JSON.parse(text) as {
        stats: { passes: number }
        failures: { fullTitle: string }[]
      }
      return { passes: stats.passes, red: failures.map(({ fullTitle }) => fullTitle) }
    },
    /** Runs a file of the copy with Node. */
    run: (args: string[], env?: Record<string, string>) => run(folder, args, env),
    close: () => rm(folder, { recursive: true, force: true }),
  }
}

export type CheckoutCopy = Awaited<ReturnType<typeof copyCheckout>>

/** Node in the copy, to its end. Answers with the exit code and what it wrote. */
function run(
  cwd: string,
  args: string[],
  env: Record<string, string> = {},
): Promise<{ code: number; stdout: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, {
      cwd,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    let stdout = ''
    child.stdout.setEncoding('utf8').on('data', (chunk) => (stdout += chunk))
    child.once('error', reject)
    child.once('close', (code) => resolve({ code: code ?? 1, stdout }))
  })
}
