import assert from 'node:assert/strict'
import { glob } from 'node:fs/promises'
import { join } from 'node:path'
import type { Route, Routes } from '../../shared/contracts/route.ts'

const contracts = join(import.meta.dirname, '../../shared/contracts')

/** Every route of every table that a contract exports, so that no test has to name a new one. */
export async function routesOfContracts(): Promise<Route[]> {
  const files = await Array.fromAsync(glob('*.ts', { cwd: contracts, exclude: ['*.test.ts'] }))
  const modules: Record<string, unknown>[] = await Promise.all(
    files.map((file) => import(join(contracts, file))),
  )
  const tables = modules.flatMap(Object.entries).filter(([name]) => name.endsWith('Routes'))
  assert.ok(tables.length >= 14, 'the route tables are found')
  return tables.flatMap(([, table]) => Object.values(table as Routes))
}
