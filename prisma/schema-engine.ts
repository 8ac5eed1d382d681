// Prisma's schema engine in its WebAssembly build, which npm installs and nothing downloads. It is an
// internal package of Prisma: pinned, and used for development and tests only.
import { PrismaPg } from '@prisma/adapter-pg'
import {
  bindMigrationAwareSqlAdapterFactory,
  ColumnTypeEnum,
  type SqlMigrationAwareDriverAdapterFactory,
} from '@prisma/driver-adapter-utils'
import { SchemaEngine } from '@prisma/schema-engine-wasm'
import pg from 'pg'

const charOid = 18
const textOid = 25

// Where the WebAssembly build reports a panic; without it the cause is lost.
Object.assign(globalThis, {
  PRISMA_WASM_PANIC_REGISTRY: {
    set_message(message: string) {
      throw new Error(`schema engine: ${message}`)
    },
  },
})

/** The SQL that leads from a live database to a Prisma schema; null when they agree. */
export async function databaseDiff(url: string, schema: string): Promise<string | null> {
  const files = [{ path: 'schema.prisma', content: schema }]
  const { engine, close } = await openSchemaEngine(url, schema)
  try {
    const { exitCode, stdout } = await engine.diff({
      from: { tag: 'schemaDatasource', files, configDir: import.meta.dirname },
      to: { tag: 'schemaDatamodel', files },
      script: true,
      exitCode: true,
      filters: { externalTables: [], externalEnums: [] },
    })
    return exitCode === 0 ? null : stdout
  } finally {
    await close()
  }
}

/** The engine on a live database. */
export async function openSchemaEngine(url: string, schema: string) {
  const pool = new pg.Pool({ connectionString: url })
  const engine = await SchemaEngine.new(
    { datamodels: [['schema.prisma', schema]] },
    () => {},
    bindMigrationAwareSqlAdapterFactory(createAdapterFactory(pool)),
  )
  return {
    engine,
    close: async () => {
      engine.free()
      await pool.end()
    },
  }
}

// The engine reads columns of PostgreSQL's internal type "char" and wants them as characters, but
// PrismaPg refuses that type. So it is told that they are text, and its answer is put right.
function createAdapterFactory(pool: pg.Pool): SqlMigrationAwareDriverAdapterFactory {
  const factory = new PrismaPg(readCharAsText(pool))
  return {
    provider: factory.provider,
    adapterName: factory.adapterName,
    async connect() {
      const adapter = await factory.connect()
      const queryRaw = adapter.queryRaw.bind(adapter)
      adapter.queryRaw = async (query) => {
        const result = await queryRaw(query)
        for (const column of charColumns.get(result.rows) ?? []) {
          result.columnTypes[column] = ColumnTypeEnum.Character
        }
        return result
      }
      return adapter
    },
    // PrismaPg's own would replay the migrations on the real database when it was given a URL.
    connectToShadowDb() {
      throw new Error('compare with a scratch database instead')
    },
  }
}

const charColumns = new WeakMap<object, number[]>()

function readCharAsText(pool: pg.Pool): pg.Pool {
  const query = pool.query.bind(pool)
  const patched = async (config: pg.QueryConfig) => {
    const result = await query(config)
    const columns = result.fields.flatMap((field, i) => (field.dataTypeID === charOid ? [i] : []))
    for (const column of columns)
      Object.assign(result.fields[column] ?? {}, { dataTypeID: textOid })
    charColumns.set(result.rows, columns)
    return result
  }
  return Object.assign(pool, { query: patched })
}
