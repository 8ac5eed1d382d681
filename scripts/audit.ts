import { spawn } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'

/*
 * Asks the registry for advisories of severity high and above on installed packages. Exceptions are in
 * .audit-exceptions.json, with a reason and the last day. An unreachable registry is reported and does not fail the
 * check; an expired exception does, whether the registry answers or not.
 */

const Exceptions = z.array(
  z.strictObject({
    /** As npm audit tells it: `GHSA-…`. */
    advisory: z.string().regex(/^GHSA(-[0-9a-z]{4}){3}$/),
    reason: z.string().min(10),
    /** The last day that it holds. */
    expires: z.iso.date(),
  }),
)
export type Exceptions = z.infer<typeof Exceptions>

const Advisory = z.object({ url: z.string(), title: z.string(), severity: z.string() })
const Report = z.object({
  vulnerabilities: z.record(
    z.string(),
    z.object({ via: z.array(z.union([z.string(), Advisory])) }),
  ),
})

export type Verdict = { problems: string[]; notes: string[] }

const grave = new Set(['high', 'critical'])
const root = join(import.meta.dirname, '..')
const deadlineMs = 60_000

/** Evaluates the output of `npm audit --json` for a day (`YYYY-MM-DD`). Throws if the exceptions are malformed. */
export function judge(output: string, exceptions: unknown, today: string): Verdict {
  const known = Exceptions.parse(exceptions)
  const expired = known.filter(({ expires }) => expires < today)
  const problems = expired.map(
    ({ advisory, expires }) => `the exception for ${advisory} expired on ${expires}`,
  )
  const report = Report.safeParse(parse(output))
  if (!report.success) {
    return { problems, notes: ['not checked: the registry gave no advisories'] }
  }
  const vias = Object.entries(report.data.vulnerabilities).flatMap(([name, { via }]) =>
    via.flatMap((one) => (typeof one === 'string' ? [] : [{ name, ...one }])),
  )
  const found = vias.filter(({ severity }) => grave.has(severity))
  const excepted = new Set(known.map(({ advisory }) => advisory))
  const idOf = ({ url }: { url: string }) => url.split('/').at(-1) ?? url
  const open = found.filter((one) => !excepted.has(idOf(one)))
  const ids = new Set(found.map(idOf))
  return {
    problems: [
      ...problems,
      ...open.map((one) => `${one.name}: ${one.severity}, ${one.title} (${idOf(one)})`),
    ],
    notes: known
      .filter(({ advisory }) => !ids.has(advisory))
      .map(({ advisory }) => `the exception for ${advisory} is not needed`),
  }
}

function parse(output: string): unknown {
  try {
    return JSON.parse(output)
  } catch {
    return undefined
  }
}

/** What npm prints; nothing when it cannot be run or does not end. It exits 1 for what it finds, too. */
function runAudit(): Promise<string> {
  const options = ['--json', '--audit-level=high', '--fetch-retries=0', '--fetch-timeout=20000']
  const child = spawn('npm', ['audit', ...options], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'ignore'],
    timeout: deadlineMs,
  })
  let output = ''
  child.stdout.on('data', (data) => {
    output += data
  })
  return new Promise((resolve) => {
    child.once('error', () => resolve(''))
    child.once('close', () => resolve(output))
  })
}

if (import.meta.main) {
  const exceptions = JSON.parse(await readFile(join(root, '.audit-exceptions.json'), 'utf8'))
  const today = new Date().toISOString().slice(0, 10)
  const { problems, notes } = judge(await runAudit(), exceptions, today)
  for (const line of [...notes, ...problems]) console.log(`npm audit: ${line}`)
  if (problems.length > 0) process.exitCode = 1
}
