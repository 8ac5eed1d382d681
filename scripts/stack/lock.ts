import { createHash } from 'node:crypto'
import { createServer } from 'node:net'
import { resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

export type Lock = { release(): void }

/**
 * Takes the lock named by a path, or answers undefined when another process has it. The lock is a socket in Linux's
 * abstract namespace: the kernel frees it with its process, so a crash leaves no stale lock.
 */
export function tryLock(path: string): Promise<Lock | undefined> {
  const name = createHash('sha256').update(resolve(path)).digest('hex')
  const server = createServer((socket) => socket.destroy())
  return new Promise((done, fail) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      error.code === 'EADDRINUSE' ? done(undefined) : fail(error),
    )
    server.listen(`\0saga-orchestration-${name}`, () => {
      server.unref()
      done({ release: () => server.close() })
    })
  })
}

/** Waits until the lock is free; `onWait` is called once when it is not free at the first try. */
export async function takeLock(path: string, onWait: () => void): Promise<Lock> {
  for (let tries = 0; ; tries++) {
    const lock = await tryLock(path)
    if (lock) return lock
    if (tries === 0) onWait()
    await sleep(200)
  }
}
