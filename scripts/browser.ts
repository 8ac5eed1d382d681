import { createReadStream, createWriteStream } from 'node:fs'
import { chmod, readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { createBrotliDecompress } from 'node:zlib'
import { type Browser, chromium } from 'playwright-core'
import { cached } from './stack/cache.ts'
import { run } from './stack/run-command.ts'

/** A package that carries Chromium's headless shell, with the libraries and fonts that a bare machine lacks. */
const carrier = '@sparticuz/chromium'
const version = '153.0.0'

/** The fonts of the package and those of the machine. Without any font, Chromium ends at the first text. */
const fontSettings = `<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <dir prefix="relative">fonts</dir>
  <dir>/usr/share/fonts</dir>
  <cachedir prefix="xdg">fontconfig</cachedir>
</fontconfig>
`

/** Installs Chromium into the cache of all checkouts, once for each version. CHROMIUM names another one instead. */
export async function installBrowser(log = console.log): Promise<string> {
  return cached(`chromium-${version}-1`, log, async (dir) => {
    await run('npm', ['pack', '--silent', '--pack-destination', dir, `${carrier}@${version}`])
    const archive = (await readdir(dir)).find((name) => name.endsWith('.tgz')) ?? ''
    await run('tar', ['-xzf', join(dir, archive), '-C', dir])
    const parts = join(dir, 'package', 'bin')
    for (const part of ['chromium', 'al2023.tar', 'fonts.tar', 'swiftshader.tar']) {
      const to = join(dir, part)
      const from = createReadStream(join(parts, `${part}.br`))
      await pipeline(from, createBrotliDecompress(), createWriteStream(to))
      if (!part.endsWith('.tar')) continue
      await run('tar', ['-xf', to, '-C', dir])
      await rm(to)
    }
    await writeFile(join(dir, 'fonts.conf'), fontSettings)
    await chmod(join(dir, 'chromium'), 0o755)
    await rm(join(dir, archive))
    await rm(join(dir, 'package'), { recursive: true })
  })
}

/**
 * Starts a browser without a window, which asks nothing of anyone but the pages that it opens. Another tool can use it
 * by its `debuggingPort`.
 */
export async function launchBrowser({ debuggingPort = 0 } = {}): Promise<Browser> {
  const args = [
    ...['--no-sandbox', '--disable-background-networking', '--disable-component-update'],
    ...(debuggingPort ? [`--remote-debugging-port=${debuggingPort}`] : []),
  ]
  if (process.env.CHROMIUM) {
    return chromium.launch({ executablePath: process.env.CHROMIUM, args })
  }
  const dir = await installBrowser()
  const libraries = [join(dir, 'lib'), process.env.LD_LIBRARY_PATH].filter(Boolean).join(':')
  return chromium.launch({
    executablePath: join(dir, 'chromium'),
    args,
    env: { ...process.env, LD_LIBRARY_PATH: libraries, FONTCONFIG_PATH: dir } as Record<
      string,
      string
    >,
  })
}
