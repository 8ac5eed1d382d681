import { useEffect, useState } from 'preact/hooks'
import { announce } from '../parts/announce.tsx'
import { Failure } from '../parts/failure.tsx'
import { useLoad } from '../parts/load.ts'
import type { PageProps } from '../parts/page.ts'
import { Title } from '../parts/title.tsx'
import { operate, type Schemas } from './client.ts'
import { streamText, timeText, useEvents } from './live.ts'
import { RefundForm } from './refund-form.tsx'

type Problem = Schemas['Problem']
type RefundList = { items: Schemas['RefundRecord'][]; next_cursor: string | null }
type SagaDetails = Schemas['SagaDetails']
type TimelineEntry = Schemas['TimelineEntry']

function Facts({ title, facts }: { title: string; facts: Record<string, unknown> | null }) {
  return (
    <section>
      <h3>{title}</h3>
      {facts === null ? (
        <p class="muted">none</p>
      ) : (
        <dl class="figures facts">
          {Object.entries(facts)
            .filter(([, value]) => typeof value !== 'object' || value === null)
            .map(([name, value]) => (
              <div key={name}>
                <dt>{name.replaceAll('_', ' ')}</dt>
                <dd>{name.endsWith('_at') ? timeText(value as string) : String(value ?? '–')}</dd>
              </div>
            ))}
        </dl>
      )}
    </section>
  )
}

function entryText({ kind, step, attempt, detail }: TimelineEntry): string {
  const what = [kind, step, attempt && `attempt ${attempt}`].filter(Boolean).join(' ')
  return detail ? `${what}: ${detail}` : what
}

/** Most sagas take less than a second. */
function sinceStart(at: string, [first]: TimelineEntry[]): string {
  const ms = Date.parse(at) - Date.parse(first?.at ?? at)
  return ms < 5_000 ? `+${ms} ms` : `+${(ms / 1_000).toFixed(1)} s`
}

function Timeline({ entries, truncated }: { entries: TimelineEntry[]; truncated: boolean }) {
  return (
    <section>
      <h2>Timeline</h2>
      <ol class="timeline">
        {entries.map((entry, index) => (
          <li
            key={`${entry.at} ${index}`}
            class={entry.kind === 'failure' ? 'failure-entry' : entry.undo ? 'undo' : ''}
          >
            <time dateTime={entry.at}>{timeText(entry.at)}</time>{' '}
            <span class="muted">{sinceStart(entry.at, entries)}</span> {entry.undo && 'undo · '}
            {entryText(entry)}
          </li>
        ))}
      </ol>
      {truncated && <p>The Temporal Web UI shows the rest.</p>}
    </section>
  )
}

type Action = 'retry' | 'resolve' | 'cancel'

/** A note is needed for what cannot be taken back. */
function Actions({ id }: { id: string }) {
  const [problem, setProblem] = useState<Problem | null>()
  async function act(event: SubmitEvent) {
    event.preventDefault()
    const form = event.currentTarget as HTMLFormElement
    const action = (event.submitter as HTMLButtonElement).value as Action
    const note = String(new FormData(form).get('note') ?? '').trim()
    const body = note ? { note } : {}
    const { error } = await operate('POST', `/sagas/${id}/${action}`, { body })
    setProblem(error)
    if (error !== undefined) return
    form.reset()
    announce(`${action} was accepted`)
  }
  return (
    <form onSubmit={act}>
      <h2>Act</h2>
      {problem !== undefined && <Failure problem={(problem ?? undefined) as never} />}
      <div class="row">
        <div class="field">
          <label for="note">Note</label>
          <input id="note" name="note" maxLength={1_000} aria-describedby="note-hint" />
          <p id="note-hint" class="muted">
            Resolve and cancel need one: what was done by hand, or why.
          </p>
        </div>
        <button type="submit" value="retry">
          Retry
        </button>
        <button type="submit" value="resolve" class="quiet">
          Resolve
        </button>
        <button type="submit" value="cancel" class="quiet">
          Cancel
        </button>
      </div>
    </form>
  )
}

/** Gives back what a completed purchase cost, and shows what was. `changedAt` is when its payment changed last. */
function MoneyBack({ id, changedAt }: { id: string; changedAt: string | undefined }) {
  const [asked, setAsked] = useState(0)
  return (
    <>
      <Refunds id={id} changedAt={`${changedAt} ${asked}`} />
      <section>
        <h2>Give money back</h2>
        <RefundForm key={asked} paymentId={id} onDone={() => setAsked(asked + 1)} />
      </section>
    </>
  )
}

/** What was given back of a purchase, if anything; loaded again when `changedAt` is another. */
function Refunds({ id, changedAt }: { id: string; changedAt: string }) {
  const path = `/refunds?payment_id=${encodeURIComponent(id)}`
  const found = useLoad<RefundList>(`${path} ${changedAt}`, (signal) =>
    operate('GET', path, { signal }),
  )
  if (found.state === 'loading') return null
  if (found.state === 'ready' && found.data.items.length === 0) return null
  return (
    <section>
      <h2>Refunds</h2>
      {found.state === 'failed' ? (
        <Failure problem={found.problem as never} onRetry={found.reload} />
      ) : (
        <ul>
          {found.data.items.map((refund) => (
            <li key={refund.id}>
              {timeText(refund.created_at)} {refund.amount} {refund.currency_code}: {refund.status}{' '}
              <a href={`/console/refunds?payment_id=${id}&refund_id=${refund.id}`}>
                Refund {refund.id}
              </a>
            </li>
          ))}
        </ul>
      )}
    </section>
  )
}

const isFinal = ({ final }: SagaDetails) => final

export function SagaPage({ params }: PageProps) {
  const { id = '' } = params
  const { data, stream } = useEvents(`/sagas/${encodeURIComponent(id)}/events`, 'saga', isFinal)
  const status = data?.purchase?.status
  useEffect(() => {
    if (status) announce(`The purchase is ${status}`)
  }, [status])
  if (!data && stream !== 'lost') return <p class="waiting">Loading the saga …</p>
  if (!data) {
    return (
      <>
        <Title text="This saga cannot be shown now" />
        <p>
          There is no purchase with this id, or the orchestrator does not answer. This page tries
          again. <a href="/console">Back to the overview</a>
        </p>
      </>
    )
  }
  const { saga, purchase, order, payment, stock, unavailable } = data
  return (
    <>
      <Title text={`Saga of ${id}`}>
        <span>
          <span class="badge">{purchase?.status ?? saga.status ?? saga.state}</span>{' '}
          <span class="muted">{streamText[stream]}</span>
        </span>
      </Title>
      {unavailable.length > 0 && <p class="failure">Does not answer: {unavailable.join(', ')}</p>}
      {purchase?.attention_reason && purchase.needs_attention_at && (
        <p class="failure">
          Needs attention since {timeText(purchase.needs_attention_at)}:{' '}
          {purchase.attention_reason.replaceAll('_', ' ')}
        </p>
      )}
      {data.temporal_url && (
        <p>
          <a href={data.temporal_url} rel="noreferrer">
            In the Temporal Web UI
          </a>
        </p>
      )}
      <h2>Waits for</h2>
      {saga.pending.length === 0 ? (
        <p>nothing</p>
      ) : (
        <ul>
          {saga.pending.map((one) => (
            <li key={one.activity_id}>
              {one.activity_id}, attempt {one.attempt}
              {one.last_failure && `: ${one.last_failure}`}
              {one.next_attempt_at && `, next at ${timeText(one.next_attempt_at)}`}
            </li>
          ))}
        </ul>
      )}
      {saga.undos.length > 0 && (
        <p>Undos: {saga.undos.map(({ step, state }) => `${step} ${state}`).join(', ')}</p>
      )}
      {!data.final && <Actions id={id} />}
      <Timeline entries={data.timeline} truncated={data.truncated} />
      {status === 'COMPLETED' && <MoneyBack id={id} changedAt={payment?.updated_at} />}
      <h2>What the services store</h2>
      <Facts title="Purchase" facts={purchase} />
      <Facts title="Order" facts={order} />
      <Facts title="Payment and the provider's ledger" facts={payment} />
      {stock.length === 0 && <Facts title="Stock" facts={null} />}
      {stock.map((hold) => (
        <Facts key={hold.product_id} title="Stock" facts={hold} />
      ))}
      <h2>Audit</h2>
      {purchase?.actions.length ? (
        <ul>
          {purchase.actions.map(({ action_id, operator, action, step, note, at }) => (
            <li key={action_id}>
              {timeText(at)} {operator}: {action} {step} {note && `(${note})`}
            </li>
          ))}
        </ul>
      ) : (
        <p>No operator has acted.</p>
      )}
    </>
  )
}
