import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { builtinModules } from 'node:module'
import { dirname, join, relative } from 'node:path'
import { checkout, readDocument } from '../docs/markdown.ts'
import { resolveClusterFile } from './cluster-file.ts'
import { freshEnv, isOurs } from './compose-file.ts'

/** Of the stage that the others begin with. */
const manifests = ['package.json', 'package-lock.json', '.npmrc']

type Imports = { files: Set<string>; packages: Map<string, string> }

/**
 * What a file needs when it starts, with all that it imports. Types are gone by then, and so is what only a developer's
 * command imports on the way.
 */
async function importsOf(file: string, found: Imports): Promise<Imports> {
  if (found.files.has(file)) return found
  found.files.add(file)
  const source = await readFile(join(checkout, file), 'utf8')
  const statements = source.matchAll(
    /^(?:import|export)\s(?!type\s)[^'"]*?from\s+'([^']+)'|^import '([^']+)'|\.resolve\('([^']+[^/])'\)/gm,
  )
  for (const [, from, alone, resolved] of statements) {
    const specifier = from ?? alone ?? resolved ?? ''
    if (specifier.startsWith('.')) {
      await importsOf(relative(checkout, join(checkout, dirname(file), specifier)), found)
    } else if (!specifier.startsWith('node:') && !builtinModules.includes(specifier)) {
      const [scope = '', name = ''] = specifier.split('/')
      found.packages.set(specifier.startsWith('@') ? `${scope}/${name}` : scope, file)
    }
  }
  return found
}

describe('the image', () => {
  let dockerfile: string
  let copied: string[]
  let entries: string[]
  let needed: Imports

  before(async () => {
    dockerfile = await readDocument('Dockerfile')
    const runtime = dockerfile.slice(dockerfile.indexOf(' AS runtime'))
    copied = [...runtime.matchAll(/^COPY (?:--from=build )?\S+ (\S+)$/gm)].map(([, to = '']) => to)
    const { services } = await resolveClusterFile(freshEnv())
    const ours = Object.values(services).filter(isOurs)
    entries = [
      ...new Set(
        ours.flatMap(({ command = [] }) => command.filter((word) => word.endsWith('.ts'))),
      ),
      'bench/reconcile.ts',
    ]
    needed = { files: new Set(), packages: new Map() }
    for (const entry of entries) await importsOf(entry, needed)
  })

  it('starts files that exist', () => {
    assert.ok(entries.length > 12)
    for (const entry of entries) assert.ok(existsSync(join(checkout, entry)), entry)
  })

  it('contains every file that its entry points import', () => {
    const missing = [...needed.files].filter(
      (file) => !copied.includes(file.split('/')[0] ?? '') && !manifests.includes(file),
    )

    assert.ok(needed.files.size > 100)
    assert.ok(needed.files.has('workflows/purchase.ts'))
    assert.deepEqual(missing, [])
  })

  it('copies no folder that nothing imports', () => {
    // Served as files.
    const served = ['web']
    const unused = copied.filter(
      (folder) =>
        !served.includes(folder) && ![...needed.files].some((f) => f.startsWith(`${folder}/`)),
    )

    assert.deepEqual(unused, [])
  })

  it('contains every package that they import, without those for development', async () => {
    const { dependencies } = JSON.parse(await readDocument('package.json')) as {
      dependencies: Record<string, string>
    }
    const missing = [...needed.packages].filter(([name]) => !Object.hasOwn(dependencies, name))

    assert.ok(needed.packages.size > 15)
    assert.deepEqual(missing, [])
    const [, packages = '', runtime = ''] = dockerfile.split(/^FROM .* AS (?:packages|runtime)$/m)
    assert.match(packages, /npm install .*--omit=dev --omit=peer/)
    assert.ok(runtime.includes('COPY --from=packages /app/node_modules node_modules'))
  })

  it('is built from what it needs, never from secrets, data or history', async () => {
    const ignore = (await readDocument('.dockerignore')).split('\n').filter((line) => line)
    const allowed = ignore.filter((line) => line.startsWith('!')).map((line) => line.slice(1))

    assert.ok(dockerfile.includes(`COPY ${manifests.join(' ')} ./`))
    assert.ok(ignore.includes('*'))
    assert.match(dockerfile, /^COPY tsconfig\.json \.\/\n(?:COPY .*\n)+RUN node web\/build\.ts/m)
    // The settings of the compiler, for the build of the pages.
    assert.deepEqual(allowed.sort(), [...manifests, 'tsconfig.json', ...copied].sort())
  })
})
