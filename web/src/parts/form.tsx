import type { ComponentChildren } from 'preact'
import { useState } from 'preact/hooks'
import { type Problem, problemText } from '../api/client.ts'

type Outcome = { error?: unknown; response?: Response }

/**
 * A form that sends its fields once at a time. `send` answers as the API's client does, and gets the files in the
 * form; on success `onDone` is called, otherwise the problem is shown, announced and given to the fields.
 */
export function Form({
  send,
  onDone,
  label,
  children,
}: {
  send: (fields: Record<string, string>, form: FormData) => Promise<Outcome>
  onDone: (fields: Record<string, string>) => void
  label: string
  children: (problem: Problem | undefined) => ComponentChildren
}) {
  const [busy, setBusy] = useState(false)
  const [failure, setFailure] = useState<{ problem: Problem | undefined } | undefined>()
  async function submit(event: SubmitEvent) {
    event.preventDefault()
    if (busy) return
    const form = new FormData(event.currentTarget as HTMLFormElement)
    const fields = Object.fromEntries(
      [...form].map(([name, value]) => [name, typeof value === 'string' ? value : '']),
    )
    setBusy(true)
    setFailure(undefined)
    const outcome: Outcome = await send(fields, form).catch(() => ({ error: null }))
    setBusy(false)
    if ('error' in outcome && outcome.error !== undefined) {
      setFailure({ problem: (outcome.error as Problem | null) ?? undefined })
    } else onDone(fields)
  }
  return (
    <form class="stacked" onSubmit={submit}>
      <p class="failure" role="alert" hidden={!failure}>
        {failure && problemText(failure.problem)}
      </p>
      {children(failure?.problem)}
      <button type="submit" aria-disabled={busy}>
        {busy ? 'One moment …' : label}
      </button>
    </form>
  )
}
