import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { clusterDir } from '../profile.ts'

/** Passwords of PostgreSQL's roles that only a cluster has. */
export type ClusterSecrets = { replicator: string; temporal: string }

/** Created on first use, then read. */
export async function loadClusterSecrets(dataDir: string): Promise<ClusterSecrets> {
  const dir = clusterDir(dataDir)
  const file = join(dir, 'secrets.json')
  if (!existsSync(file)) {
    const word = () => randomBytes(24).toString('base64url')
    const secrets: ClusterSecrets = { replicator: word(), temporal: word() }
    await mkdir(dir, { recursive: true })
    await writeFile(`${file}.tmp`, JSON.stringify(secrets), { mode: 0o600 })
    await rename(`${file}.tmp`, file)
  }
  return JSON.parse(await readFile(file, 'utf8'))
}
