import { useState } from 'preact/hooks'
import { announce } from '../parts/announce.tsx'
import { timeOf } from '../parts/days.ts'
import { Failure } from '../parts/failure.tsx'
import { useLoad } from '../parts/load.ts'
import { Title } from '../parts/title.tsx'
import { operate, type Schemas } from './client.ts'
import { DayFields, everyDay } from './days.tsx'
import { Listing } from './listing.tsx'
import { timeText } from './live.ts'
import { NoteForm } from './note-form.tsx'

type DeadLetterDetails = Schemas['DeadLetterDetails']
type DeadLetterSummary = Schemas['DeadLetterSummary']

type List = { items: DeadLetterSummary[]; next_cursor: string | null }
const states = ['open', 'replayed', 'discarded', 'all'] as const

function Details({ id, onChange }: { id: string; onChange: () => void }) {
  const found = useLoad<DeadLetterDetails>(id, (signal) => operate('GET', `/${id}`, { signal }))
  if (found.state === 'loading') return <p>One moment …</p>
  if (found.state === 'failed')
    return <Failure problem={found.problem as never} onRetry={found.reload} />
  const { headers, value, value_bytes: bytes, ...facts } = found.data
  return (
    <section aria-labelledby="one">
      <h2 id="one">{id}</h2>
      <pre>{JSON.stringify({ ...facts, headers }, undefined, 2)}</pre>
      <h3>Value ({bytes} bytes)</h3>
      <pre>{value ?? '(no value)'}</pre>
      {facts.state === 'open' && (
        <NoteForm
          path={`/${id}`}
          actions={[
            { value: 'replay', label: 'Replay' },
            { value: 'discard', label: 'Discard' },
          ]}
          onDone={(action) => {
            announce(`The dead letter was ${action === 'replay' ? 'replayed' : 'discarded'}`)
            onChange()
          }}
        />
      )}
    </section>
  )
}

export function DeadLettersPage() {
  const [state, setState] = useState<(typeof states)[number]>('open')
  const [days, setDays] = useState(everyDay)
  const [cursor, setCursor] = useState('')
  const [chosen, setChosen] = useState<string>()
  const query = { state, ...timeOf(days), ...(cursor && { cursor }) }
  const path = `/dead-letters?${new URLSearchParams(query)}`
  const found = useLoad<List>(path, (signal) => operate<List>('GET', path, { signal }))
  return (
    <>
      <Title text="Dead letters" />
      <div class="row">
        <div class="field">
          <label for="state">State</label>
          <select
            id="state"
            value={state}
            onChange={(event) => {
              setCursor('')
              setState(event.currentTarget.value as (typeof states)[number])
            }}
          >
            {states.map((one) => (
              <option key={one}>{one}</option>
            ))}
          </select>
        </div>
        <DayFields
          days={days}
          onChange={(chosen) => {
            setCursor('')
            setDays(chosen)
          }}
        />
      </div>
      <Listing
        found={found}
        columns={['Time', 'Topic', 'Group', 'Error', 'Message']}
        onNext={setCursor}
      >
        {(one) => (
          <tr key={one.id}>
            <td>{timeText(one.time)}</td>
            <td>{one.topic}</td>
            <td>{one.group}</td>
            <td>{one.error}</td>
            <td>
              <button type="button" class="quiet" onClick={() => setChosen(one.id)}>
                Show {one.id}
              </button>
            </td>
          </tr>
        )}
      </Listing>
      {chosen && (
        <Details
          key={chosen}
          id={chosen}
          onChange={() => {
            setChosen(undefined)
            found.reload()
          }}
        />
      )}
    </>
  )
}
