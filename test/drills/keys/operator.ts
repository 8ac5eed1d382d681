import { setTimeout as sleep } from 'node:timers/promises'
import type { OwnStack } from '../../../scripts/stack/start.ts'

const pauseMs = 500

/** An operator who reads with a token and with a page of the console, until something is done. */
export function openOperator({ urls }: Pick<OwnStack, 'urls'>, firstToken: string) {
  const unexpected: string[] = []
  const base = `${urls.operators}/api/v1`
  let token = firstToken
  let cookie = ''
  let reads = 0

  async function ask(method: string, path: string, headers: Record<string, string>) {
    const answer = await fetch(base + path, { method, headers }).catch((error: Error) => error)
    if (!(answer instanceof Error) && answer.ok) return answer
    const came = answer instanceof Error ? answer.message : answer.status
    unexpected.push(`${method} ${path} at ${new Date().toISOString()}: ${came}`)
    return undefined
  }

  return {
    unexpected,
    reads: () => reads,

    /** Signs in to the console, from now on with this token. */
    async signIn(next = token): Promise<void> {
      token = next
      const headers = { authorization: `Bearer ${token}` }
      const answer = await ask('POST', '/console/session', headers)
      cookie = (answer?.headers.get('set-cookie') ?? '').split(';')[0] ?? ''
      await answer?.arrayBuffer()
    },

    async work(done: Promise<unknown>): Promise<void> {
      let working = true
      void done.catch(() => {}).then(() => (working = false))
      while (working) {
        const both: Record<string, string>[] = [{ authorization: `Bearer ${token}` }, { cookie }]
        for (const headers of both) {
          const answer = await ask('GET', '/console/session', headers)
          await answer?.arrayBuffer()
          if (answer) reads += 1
        }
        await sleep(pauseMs)
      }
    },
  }
}
