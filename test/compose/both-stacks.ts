import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { databases } from '../../prisma/databases.ts'
import { type StackInfo, stackUrls } from '../../scripts/stack/client.ts'
import { baseEnv } from '../../scripts/stack/environment.ts'
import { resolvePorts } from '../../scripts/stack/ports.ts'
import type { StackProfile } from '../../scripts/stack/profile.ts'
import { serviceEnv } from '../../scripts/stack/service-env.ts'
import type { serviceNames } from '../../scripts/stack/services.ts'
import { resolveClusterFile } from './cluster-file.ts'
import { type ComposeService, freshEnv, resolveComposeFile } from './compose-file.ts'

/** The compose files of a profile and its native stack, as they are with the same secrets. */
export async function openBothStacks(profile: StackProfile = 'single') {
  const env = freshEnv()
  const file = await (profile === 'cluster' ? resolveClusterFile : resolveComposeFile)(env)
  const ports = resolvePorts(0, {})
  const [kid = '', publicKey = ''] = Object.entries(JSON.parse(env.JWT_VERIFY_KEYS ?? ''))[0] ?? []
  const passwords = databases.map((name) => [name, env[`${name.toUpperCase()}_DB_PASSWORD`]])
  const stack: StackInfo = {
    dataDir: await mkdtemp(join(tmpdir(), 'drift-')),
    ports,
    urls: stackUrls(ports, profile),
    profile,
    secrets: {
      postgres: { ...Object.fromEntries(passwords), postgres: env.POSTGRES_PASSWORD },
      minio: { accessKey: env.MINIO_ACCESS_KEY ?? '', secretKey: env.MINIO_SECRET_KEY ?? '' },
      jwt: {
        kid,
        publicKey: String(publicKey),
        privateKey: JSON.parse(env.JWT_SIGNING_KEY ?? '').pem,
      },
      operatorToken: env.OPERATOR_TOKEN ?? '',
      operatorSessionKey: env.OPERATOR_SESSION_KEYS ?? '',
      codeSealingKey: env.CODE_SEALING_KEYS ?? '',
      provider: {
        key: env.STRIPE_API_KEY ?? '',
        webhookSecret: env.STRIPE_WEBHOOK_SECRETS ?? '',
      },
    },
  }
  const hosts = new Set([...Object.keys(file.services), 'localhost'])

  return {
    file,
    native: stack,
    service(name: string): ComposeService {
      const found = file.services[name]
      assert.ok(found, `there is no ${name}`)
      return found
    },
    /** With every host and bound address as the native stack has it. */
    asNative: (value: string) =>
      value
        .replace(/10\.89\.77\.\d+|0\.0\.0\.0/g, '127.0.0.1')
        .replace(/(?<=^|[@/,])([a-z][\w-]*)(?=:\d{4,5}([/,]|$))/g, (host) =>
          hosts.has(host) ? '127.0.0.1' : host,
        ),
    nativeEnv(name: (typeof serviceNames)[number]) {
      const ofLauncher = Object.keys(baseEnv())
      const entries = Object.entries(serviceEnv(name, stack))
      return Object.fromEntries(entries.filter(([variable]) => !ofLauncher.includes(variable)))
    },
    close: () => rm(stack.dataDir, { recursive: true }),
  }
}

export type BothStacks = Awaited<ReturnType<typeof openBothStacks>>
