import { once } from 'node:events'
import { createCachedReader } from '../../shared/cache/read-through.ts'
import { connectTestRedis } from '../helpers/redis.ts'

/** A process that reads one row; its database answers on command, with the row as it was at the time of the read. */
const [name = '', id = '', value = ''] = process.argv.slice(2)

const test = await connectTestRedis()
const reader = createCachedReader({
  ...test,
  name,
  fields: { id: 'string', name: 'string' } as const,
  async load() {
    process.send?.('loading')
    await once(process, 'message')
    return { id, name: value }
  },
})
process.send?.((await reader.read(id))?.name)
await reader.close()
await test.close()
process.exit()
