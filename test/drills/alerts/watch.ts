import { setTimeout as sleep } from 'node:timers/promises'
import { waitFor } from '../../../shared/runtime/wait-for.ts'

type Alerts = { data: { alerts: { labels: { alertname: string }; state: string }[] } }

const everyMs = 500

export type AlertWatch = ReturnType<typeof watchAlerts>

/** A time in which an alert fires; without an end while it does. */
type Span = { from: number; to?: number }

/** Asks a Prometheus all the time which alerts fire. */
export function watchAlerts(url: string) {
  const spans = new Map<string, Span[]>()
  /** Alerts whose condition holds, whether they fire already or not. */
  let active = new Set<string>()
  const closed = new AbortController()
  const openOf = (name: string) => spans.get(name)?.find(({ to }) => to === undefined)
  const firing = () => [...spans.keys()].filter(openOf)

  async function look(): Promise<void> {
    const response = await fetch(`${url}/api/v1/alerts`)
    if (!response.ok) throw new Error(`Prometheus answers ${response.status}`)
    const { alerts } = ((await response.json()) as Alerts).data
    const namesOf = (some: typeof alerts) => new Set(some.map(({ labels }) => labels.alertname))
    const found = namesOf(alerts.filter(({ state }) => state === 'firing'))
    active = namesOf(alerts)
    const now = Date.now()
    for (const name of firing()) {
      const open = openOf(name)
      if (open && !found.has(name)) open.to = now
    }
    for (const name of found) {
      if (!openOf(name)) spans.set(name, [...(spans.get(name) ?? []), { from: now }])
    }
  }

  const looking = (async () => {
    while (!closed.signal.aborted) {
      await look().catch(() => undefined)
      await sleep(everyMs, undefined, { signal: closed.signal }).catch(() => undefined)
    }
  })()

  return {
    firing,
    /** Until none of these alerts fires, or is about to. Throws past the deadline. */
    untilSilent: (names: string[], seconds: number) =>
      waitFor(
        `${names.join(', ')} not to fire`,
        () => !names.some((name) => active.has(name)),
        seconds * 1_000,
      ),
    /** When an alert began to fire, if it fires within so many seconds. */
    firedAt: (name: string, seconds: number): Promise<number | undefined> =>
      waitFor(name, () => openOf(name)?.from, seconds * 1_000).catch(() => undefined),
    /** When an alert that fired at this time, or next after it, stopped; undefined while it fires. */
    silentAfter: (name: string, at: number): number | undefined =>
      spans.get(name)?.find(({ to = Number.POSITIVE_INFINITY }) => to >= at)?.to,
    async close(): Promise<void> {
      closed.abort()
      await looking
    },
  }
}
