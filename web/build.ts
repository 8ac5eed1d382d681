import { glob, readFile, rm, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { brotliCompress, gzip } from 'node:zlib'
import { build } from 'vite'
import { webConfig } from './vite.config.ts'

/*
 * `node web/build.ts FOLDER` makes the front end as static files, each with its compressed copies beside it, so that no
 * request costs a compression. The launcher and the image both run it.
 */

const compressible = '**/*.{html,js,css,svg,json}'

async function compress(path: string): Promise<void> {
  const content = await readFile(path)
  const [br, gz] = await Promise.all([promisify(brotliCompress)(content), promisify(gzip)(content)])
  await Promise.all([writeFile(`${path}.br`, br), writeFile(`${path}.gz`, gz)])
}

const folder = resolve(process.argv[2] ?? join(import.meta.dirname, 'dist'))
await rm(folder, { recursive: true, force: true })
await build(webConfig({ outDir: folder }))
const files = await Array.fromAsync(glob(compressible, { cwd: folder }))
await Promise.all(files.map((file) => compress(join(folder, file))))
