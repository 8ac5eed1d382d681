import { once } from 'node:events'
import { createCachedReader } from '../../shared/cache.ts'
import { connectTestRedis } from '../helpers/redis.ts'

/** A process that reads one row, and is told when its database answers: what the row was when it was asked for. */
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
