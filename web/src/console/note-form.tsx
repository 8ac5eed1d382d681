import { useState } from 'preact/hooks'
import { Failure } from '../parts/failure.tsx'
import { operate, type Schemas } from './client.ts'

/** Two actions on one thing, at `<path>/<action>`; the second needs a note. `onDone` gets the one that was accepted. */
export function NoteForm<A extends string>({
  path,
  actions: [first, second],
  onDone,
}: {
  path: string
  actions: [plain: { value: A; label: string }, noted: { value: A; label: string }]
  onDone: (action: A) => void
}) {
  const [problem, setProblem] = useState<Schemas['Problem'] | null>()
  async function act(event: SubmitEvent) {
    event.preventDefault()
    const action = (event.submitter as HTMLButtonElement).value as A
    const note = String(new FormData(event.currentTarget as HTMLFormElement).get('note')).trim()
    const { error } = await operate('POST', `${path}/${action}`, { body: note ? { note } : {} })
    setProblem(error)
    if (error === undefined) onDone(action)
  }
  return (
    <>
      {problem !== undefined && <Failure problem={(problem ?? undefined) as never} />}
      <form class="row" onSubmit={act}>
        <div class="field">
          <label for="note">Note</label>
          <input id="note" name="note" maxLength={1_000} />
        </div>
        <button type="submit" value={first.value}>
          {first.label}
        </button>
        <button type="submit" value={second.value} class="quiet">
          {second.label} (needs a note)
        </button>
      </form>
    </>
  )
}
