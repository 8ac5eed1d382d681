import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { glob, mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const root = fileURLToPath(import.meta.resolve('../../../'))
const folder = join(root, 'node_modules', '.cache', 'workflows')
const sources = ['workflows/**/*.ts', 'shared/contracts/**/*.ts']
/** What a worker runs. */
export const workflowModules = {
  workflowsPath: fileURLToPath(import.meta.resolve('../../../workflows/index.ts')),
  workflowInterceptorModules: [
    fileURLToPath(import.meta.resolve('../../../workflows/trace-header.ts')),
  ],
}
const buildTimeoutMs = 120_000

/** A name that changes with anything that a bundle is made of. */
async function fingerprint(): Promise<string> {
  const hash = createHash('sha256')
  const { version } = createRequire(import.meta.url)('@temporalio/worker/package.json')
  hash.update(version)
  const files = await Array.fromAsync(glob(sources, { cwd: root }))
  for (const file of files.filter((name) => !name.endsWith('.test.ts')).sort()) {
    hash.update(`${relative(root, file)}\0`).update(await readFile(join(root, file)))
  }
  return hash.digest('hex').slice(0, 16)
}

/**
 * The workflows as one file for the worker, made where it is missing. Another process makes it: the bundler would stay
 * in this one's memory for good. An image that is not written to has it made when it is built, by running this file.
 */
export async function bundledWorkflows(): Promise<{ codePath: string }> {
  const codePath = join(folder, `${await fingerprint()}.js`)
  const made = await readFile(codePath).then(
    () => true,
    () => false,
  )
  if (!made) {
    await promisify(execFile)(process.execPath, [import.meta.filename, codePath], {
      timeout: buildTimeoutMs,
    })
  }
  return { codePath }
}

/** Written under another name and renamed: a concurrent reader finds a complete file or none. */
async function make(codePath: string): Promise<void> {
  const { bundleWorkflowCode, DefaultLogger } = await import('@temporalio/worker')
  const { code } = await bundleWorkflowCode({
    ...workflowModules,
    logger: new DefaultLogger('ERROR'),
  })
  await mkdir(folder, { recursive: true })
  const fresh = `${codePath}.${process.pid}.tmp`
  await writeFile(fresh, code)
  await rename(fresh, codePath)
}

if (import.meta.main) await make(process.argv[2] ?? join(folder, `${await fingerprint()}.js`))
