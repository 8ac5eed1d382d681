import { useEffect, useRef, useState } from 'preact/hooks'
import { api, type Problem } from '../api/client.ts'
import { announce } from '../parts/announce.tsx'
import { Diagram } from '../parts/diagram.tsx'
import { Failure } from '../parts/failure.tsx'
import { money } from '../parts/money.ts'
import type { PageProps } from '../parts/page.ts'
import { methodName } from '../parts/payment-methods.ts'
import { reasonWords, type SagaStep, sagaSteps, stepWords } from '../parts/saga.ts'
import { SignedIn } from '../parts/signed-in.tsx'
import { Status, statusName } from '../parts/status.tsx'
import { Time } from '../parts/time.tsx'
import { Title } from '../parts/title.tsx'
import { hasEnded, type Purchase, useWatch } from '../parts/watch.ts'

function stepText({ state, reason, late }: SagaStep): string {
  if (state === 'asked') return late ? 'under way, no answer yet' : 'under way'
  if (state === 'rejected') return `refused${reason ? `: ${reasonWords(reason)}` : ''}`
  return state === 'done' ? 'done' : ''
}

/** Most steps take milliseconds, and one that gets no answer half a minute. */
function duration(ms: number): string {
  return ms < 10_000 ? `${ms} ms` : `${(ms / 1_000).toFixed(1)} s`
}

/** Tells a screen reader of each step and of the end, once. */
function useAnnouncements(purchase: Purchase | undefined): void {
  const told = useRef<Set<string> | undefined>(undefined)
  useEffect(() => {
    if (!purchase) return
    const facts = [
      ...sagaSteps(purchase)
        .filter(({ state }) => state === 'done' || state === 'rejected')
        .map((step) => `${stepWords(step.name)}: ${stepText(step)}.`),
      ...(hasEnded(purchase) ? [`${statusName(purchase.status)}.`] : []),
    ]
    // What was there when the page was opened is read with the page.
    const fresh = told.current && facts.filter((fact) => !told.current?.has(fact))
    told.current = new Set(facts)
    if (fresh?.length) announce(fresh.join(' '))
  }, [purchase])
}

function Steps({ steps }: { steps: SagaStep[] }) {
  const shown = steps.filter(({ isUndo, state }) => !isUndo || state !== 'todo')
  return (
    <ol class="steps" aria-label="Steps">
      {shown.map((step) => (
        <li key={step.name} class={`${step.state} ${step.isUndo ? 'undo' : ''}`}>
          <span>
            {step.isUndo && 'Undo: '}
            {stepWords(step.name)} <span class="muted">({step.participant})</span>
          </span>{' '}
          <span>{stepText(step)}</span>{' '}
          <span class="price muted">{step.afterMs === null ? '' : duration(step.afterMs)}</span>
        </li>
      ))}
    </ol>
  )
}

function Cancel({ id }: { id: string }) {
  const [state, setState] = useState<'idle' | 'busy' | 'asked'>('idle')
  const [failure, setFailure] = useState<{ problem: Problem | undefined }>()
  async function cancel() {
    if (state !== 'idle') return
    setState('busy')
    setFailure(undefined)
    const { data, error } = await api
      .POST('/purchases/{id}/cancel', { params: { path: { id } } })
      .catch(() => ({ data: undefined, error: undefined }))
    setState(data ? 'asked' : 'idle')
    if (data) announce('The purchase is being cancelled.')
    else setFailure({ problem: error as Problem | undefined })
  }
  return (
    <>
      {failure && <Failure problem={failure.problem} />}
      <button type="button" class="quiet" aria-disabled={state !== 'idle'} onClick={cancel}>
        {state === 'idle' ? 'Cancel the purchase' : 'Being cancelled …'}
      </button>
    </>
  )
}

function Details({ purchase }: { purchase: Purchase }) {
  const { delivery } = purchase
  return (
    <>
      <h2>What you ordered</h2>
      <ul class="records">
        {purchase.lines.map((line) => (
          <li key={line.product_id}>
            <a href={`/products/${line.product_id}`}>
              {line.quantity} × {line.name}
            </a>
            <span class="price">
              {money(line.quantity * line.unit_price, purchase.currency_code)}
            </span>
          </li>
        ))}
      </ul>
      <p>
        <span class="price large">{money(purchase.amount, purchase.currency_code)}</span>{' '}
        <span class="muted">
          {methodName(purchase.payment_method)}, <Time at={purchase.created_at} />
        </span>
      </p>
      {delivery && (
        <p>
          Delivery address: {delivery.name}, {delivery.address}, {delivery.phone_number}
        </p>
      )}
      {(purchase.links.order || purchase.links.payment) && (
        <p class="inline">
          {purchase.links.order && <a href="/orders">My orders</a>}
          {purchase.links.payment && <a href="/payments">My payments</a>}
        </p>
      )}
    </>
  )
}

/** What the state means for the customer. */
function outcome({ status }: Purchase): string {
  switch (status) {
    case 'COMPLETED':
      return 'The order is confirmed and paid.'
    case 'REJECTED':
    case 'CANCELLED':
      return 'Nothing was sold, and no money was kept. The services undid their steps in reverse order.'
    case 'RESOLVED':
      return 'A step could not be undone automatically. An operator has closed the purchase.'
    default:
      return 'The saga asks one service after the other. This page follows it; you can leave and return.'
  }
}

function Watch({ id }: { id: string }) {
  const { purchase, problem, stream } = useWatch(id)
  useAnnouncements(purchase)
  if (problem) return <Failure problem={problem} />
  if (!purchase) {
    return <p class="waiting">{stream === 'lost' ? 'Connecting again …' : 'Loading …'}</p>
  }
  const steps = sagaSteps(purchase)
  return (
    <>
      <p class="inline">
        <Status status={purchase.status} />
        {purchase.reason && <span>because {reasonWords(purchase.reason)}</span>}
        {purchase.needs_attention && !hasEnded(purchase) && (
          <span class="badge warn">An operator has been told</span>
        )}
        {purchase.refunded_amount > 0 && (
          <span>{money(purchase.refunded_amount, purchase.currency_code)} given back</span>
        )}
        {stream === 'lost' && (
          <span class="muted" role="status">
            Connecting again …
          </span>
        )}
      </p>
      <p class="lead">{outcome(purchase)}</p>
      <Diagram steps={steps} />
      <Steps steps={steps} />
      {!hasEnded(purchase) && <Cancel id={id} />}
      <Details purchase={purchase} />
    </>
  )
}

export function PurchasePage({ params }: PageProps) {
  return (
    <SignedIn>
      <Title text="Your purchase" />
      <Watch id={params.id ?? ''} />
    </SignedIn>
  )
}
