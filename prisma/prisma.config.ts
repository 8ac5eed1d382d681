// One config for six databases: `DB=order prisma <command> --config prisma/prisma.config.ts`.
import { defineConfig } from 'prisma/config'

const db = process.env.DB
if (!db) throw new Error('set DB to account, product, order, payment, media or purchase')

export default defineConfig({
  schema: `${db}/schema.prisma`,
  migrations: { path: `${db}/migrations` },
  // Only `prisma migrate` connects; `prisma generate` runs without a URL.
  datasource: { url: process.env[`${db.toUpperCase()}_DATABASE_URL`] ?? '' },
})
