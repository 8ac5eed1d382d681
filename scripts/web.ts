import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createServer } from 'vite'
import { webConfig } from '../web/vite.config.ts'
import { apiTypes, renderApiTypes } from './web/api-types.ts'
import { measurePages } from './web/measure.ts'

/*
 * `npm run web` serves the front end from its sources for development, with the API of the running shop (`npm run up`,
 * or SHOP_URL). `-- types` writes the types of the API's client, and `-- measure` measures the first view of pages,
 * instead.
 */

const commands: Record<string, () => Promise<void>> = {
  async serve() {
    const outDir = join(import.meta.dirname, '../web/dist')
    const server = await createServer(webConfig({ outDir }))
    await server.listen()
    server.printUrls()
  },
  async types() {
    for (const { file, document } of apiTypes) {
      await writeFile(file, await renderApiTypes(document))
      console.log(file)
    }
  },
  measure: measurePages,
}

const [name = 'serve'] = process.argv.slice(2)
const command = commands[name]
if (!command) {
  console.error(`npm run web -- [${Object.keys(commands).join('|')}]`)
  process.exit(2)
}
await command()
