import type { ComponentChildren } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { announce } from '../parts/announce.tsx'
import { Failure } from '../parts/failure.tsx'
import { useLoad } from '../parts/load.ts'
import { Title } from '../parts/title.tsx'
import { operate, type Schemas } from './client.ts'
import { Breakage, switchName } from './lab-switches.tsx'
import { streamText, timeText, useEvents } from './live.ts'

type LabState = Schemas['LabState']
type Problem = Schemas['Problem']

/** The tours in words: what is done, and what there is to see. */
const tours: Record<string, { name: string; what: string }> = {
  'kill-payment': {
    name: 'Kill payment in the middle',
    what: 'Purchases wait for it, and end when it is back.',
  },
  'lose-replies': {
    name: 'Lose a tenth of the replies',
    what: 'Commands are sent again, and nothing is done twice.',
  },
  'refund-fails': {
    name: 'Refund fails, an operator decides',
    what: 'An undo that cannot succeed waits for a person. Takes minutes.',
  },
  'two-hundred-buyers': {
    name: '200 buyers for 50 units',
    what: 'Exactly 50 get one.',
  },
  'temporal-stops': {
    name: 'Stop Temporal',
    what: 'What was accepted waits, and goes on afterwards.',
  },
}
const wholeTour = 'whole'
const tourName = (name: string) => {
  if (name === wholeTour) return 'The whole tour'
  return tours[name]?.name ?? name
}

type Send = (path: string, body?: object) => Promise<void>

function Section({
  id,
  title,
  children,
}: {
  id: string
  title: string
  children: ComponentChildren
}) {
  return (
    <section aria-labelledby={id}>
      <h2 id={id}>{title}</h2>
      {children}
    </section>
  )
}

function Tours({ state, send }: { state: LabState; send: Send }) {
  const { tour } = state
  const isBusy = tour !== null && !tour.done
  const start = (name: string) => send('/tour', { name })
  return (
    <Section id="tours" title="Take a tour">
      {state.tours.length > 1 && (
        <p>
          <button type="button" onClick={() => start(wholeTour)} aria-disabled={isBusy}>
            Take the whole tour
          </button>{' '}
          <span class="muted">All of these, one after the other. Takes minutes.</span>
        </p>
      )}
      <ul class="plain tours">
        {state.tours.map((name) => (
          <li key={name}>
            <button type="button" class="quiet" onClick={() => start(name)} aria-disabled={isBusy}>
              {tourName(name)}
            </button>{' '}
            <span class="muted">{tours[name]?.what}</span>
          </li>
        ))}
      </ul>
      {tour && (
        <div class="note">
          <h3>
            {tourName(tour.name)}:{' '}
            {tour.done ? (tour.ok ? 'the invariants hold' : 'FAILED') : 'under way'}
          </h3>
          <ol>
            {tour.lines.map((line, index) => (
              <li key={`${index} ${line}`}>{line}</li>
            ))}
          </ol>
        </div>
      )}
    </Section>
  )
}

function Faults({ state, send }: { state: LabState; send: Send }) {
  return (
    <Section id="break" title="Break something">
      <Breakage offered={state.offered} send={send} />
      {state.busy && <p class="waiting">Something is being turned on or off …</p>}
      {state.switches.length > 0 && (
        <>
          <ul>
            {state.switches.map(({ id, kind, target, percent, ends_at }) => (
              <li key={id} class="state-bad">
                {switchName(kind)}
                {target && `: ${target}`} {percent && `${percent} %`} until {timeText(ends_at)}
              </li>
            ))}
          </ul>
          <button type="button" class="quiet" onClick={() => send('/heal')}>
            Restore everything now
          </button>
        </>
      )}
    </Section>
  )
}

function Buyers({ state, send }: { state: LabState; send: Send }) {
  const { accepted, refused, unanswered, by_status: byStatus } = state.purchases
  return (
    <Section id="buyers" title="Buyers">
      {state.buyers ? (
        <p>
          {state.buyers.per_second} a second until {timeText(state.buyers.ends_at)}{' '}
          <button type="button" class="quiet" onClick={() => send('/buyers/stop')}>
            Stop
          </button>
        </p>
      ) : (
        <p>
          <button type="button" onClick={() => send('/buyers', { per_second: 2, seconds: 60 })}>
            Buy twice a second for a minute
          </button>
        </p>
      )}
      <dl class="figures">
        {Object.entries({ accepted, refused, unanswered, ...byStatus }).map(([name, count]) => (
          <div key={name}>
            <dt>{name === 'ACCEPTED' ? 'not begun' : name.toLowerCase()}</dt>
            <dd>{count}</dd>
          </div>
        ))}
      </dl>
    </Section>
  )
}

/** From the end of the last fault until everything that was accepted before has ended. */
function Recovery({ state: { recovery, at, switches, busy } }: { state: LabState }) {
  if (switches.length > 0 || busy) return <p>The clock starts when the fault is over.</p>
  if (!recovery) return <p>Nothing has been broken yet.</p>
  const { healed_at: since, open, recovered_ms: recoveredMs } = recovery
  const ms = recoveredMs ?? Math.max(0, Date.parse(at) - Date.parse(since))
  return (
    <>
      <p class="clock">{(ms / 1_000).toFixed(1)} s</p>
      <p>
        The fault was over at {timeText(since)}.{' '}
        {recoveredMs === null
          ? `${open} ${open === 1 ? 'purchase from before has' : 'purchases from before have'} not ended yet.`
          : 'Every purchase from before has ended.'}
      </p>
    </>
  )
}

/** What a check of the working shop says where its name is about a shop at rest. */
const checkNames: Record<string, string> = {
  'every accepted purchase has ended': 'no accepted purchase is lost',
}

function checksText({ invariants, looks, too_many_purchases: tooMany }: LabState): string {
  if (tooMany) {
    return 'Not checked: there are too many purchases to check every second. Use npm run reconcile. '
  }
  if (!invariants) return 'The first check is under way. '
  const often = looks === 1 ? 'once' : `${looks} times`
  return `Checked ${often}, the last time at ${timeText(invariants.at)}. `
}

function Invariants({ state }: { state: LabState }) {
  const { invariants, violations } = state
  return (
    <Section id="checks" title="What must always hold">
      <ul class="plain">
        {invariants?.checks.map(({ name, ok }) => (
          <li key={name} class={ok ? 'state-good' : 'state-bad'}>
            {ok ? '✓ holds' : '✕ VIOLATED'}: {checkNames[name] ?? name}
          </li>
        ))}
      </ul>
      <p>
        {checksText(state)}
        {violations.length > 0 && <strong class="state-bad">{violations.join('; ')}</strong>}
        {invariants && violations.length === 0 && 'Nothing was ever violated.'}
      </p>
    </Section>
  )
}

/** Why there is no lab: it does not run here, or it is off in production. */
function Unavailable() {
  const asked = useLoad<LabState>('lab', (signal) => operate('GET', '/lab', { signal }))
  if (asked.state === 'loading') return <p class="waiting">One moment …</p>
  if (asked.state === 'ready') return <p class="waiting">Connecting again …</p>
  return (
    <>
      <p>The failure lab is not available here. This page tries again.</p>
      <Failure problem={asked.problem as never} onRetry={asked.reload} />
    </>
  )
}

/** Tells a screen reader what is broken, and each line of a tour. */
function useAnnouncements(state: LabState | undefined): void {
  const broken = state?.switches.length
  useEffect(() => {
    if (broken === undefined) return
    const many = broken === 1 ? '1 fault is' : `${broken} faults are`
    announce(broken ? `${many} on` : 'Nothing is broken')
  }, [broken])
  const lines = state?.tour?.lines
  useEffect(() => {
    const last = lines?.at(-1)
    if (last) announce(last)
  }, [lines?.length])
}

export function LabPage() {
  const { data: state, stream } = useEvents<LabState>('/lab/events', 'lab')
  const [problem, setProblem] = useState<Problem | null>()
  useAnnouncements(state)
  const send: Send = async (path, body) => {
    const { error } = await operate('POST', `/lab${path}`, { body: body ?? {} })
    setProblem(error)
  }
  return (
    <>
      <Title text="Failure lab">
        <span class="muted">{streamText[stream]}</span>
      </Title>
      {!state && stream === 'connecting' && <p class="waiting">One moment …</p>}
      {!state && stream === 'lost' && <Unavailable />}
      {problem !== undefined && <Failure problem={(problem ?? undefined) as never} />}
      {state && (
        <>
          <p class="lead">
            Break the running shop on purpose, while buyers buy. Every fault ends by itself, every
            purchase reaches its end, and money and stock agree at every moment.
          </p>
          <div class="columns">
            <div>
              <Tours state={state} send={send} />
              <Faults state={state} send={send} />
            </div>
            <div>
              <Buyers state={state} send={send} />
              <Section id="recovery" title="Recovery clock">
                <Recovery state={state} />
              </Section>
              <Invariants state={state} />
            </div>
          </div>
        </>
      )}
    </>
  )
}
