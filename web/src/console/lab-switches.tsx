import { useState } from 'preact/hooks'
import type { Schemas } from './client.ts'

type Offered = Schemas['LabState']['offered']

const names: Record<string, string> = {
  'kill-service': 'Kill a service',
  'stop-engine': 'Stop an engine',
  'lose-replies': 'Lose a share of the replies',
  'double-replies': 'Double a share of the replies',
  'lose-payment-replies': 'Lose the answers to captures',
  'hang-provider': 'Let the payment provider hang',
  'decline-payments': "Decline a share of the lab's own payments",
}

export function switchName(kind: string): string {
  return names[kind] ?? kind
}

/** A fault to choose, with its target or share, and for how long. */
export function Breakage({
  offered,
  send,
}: {
  offered: Offered
  send: (path: string, body: object) => Promise<void>
}) {
  const [kind, setKind] = useState(offered[0]?.kind ?? '')
  const offer = offered.find((one) => one.kind === kind)
  function submit(event: SubmitEvent) {
    event.preventDefault()
    const data = new FormData(event.currentTarget as HTMLFormElement)
    void send('/switches', {
      kind,
      seconds: Number(data.get('seconds')),
      ...(offer?.percent && { percent: Number(data.get('percent')) }),
      ...(offer?.targets.length && { target: String(data.get('target')) }),
    })
  }
  return (
    <form class="row" onSubmit={submit}>
      <div class="field">
        <label for="kind">What</label>
        <select id="kind" value={kind} onChange={(event) => setKind(event.currentTarget.value)}>
          {offered.map((one) => (
            <option key={one.kind} value={one.kind}>
              {switchName(one.kind)}
            </option>
          ))}
        </select>
      </div>
      {(offer?.targets.length ?? 0) > 0 && (
        <div class="field">
          <label for="target">Which</label>
          <select id="target" name="target">
            {offer?.targets.map((target) => (
              <option key={target} value={target} selected={target === 'payment'}>
                {target}
              </option>
            ))}
          </select>
        </div>
      )}
      {offer?.percent && (
        <div class="field">
          <label for="percent">Percent</label>
          <input id="percent" name="percent" type="number" min={1} max={100} defaultValue="10" />
        </div>
      )}
      <div class="field">
        <label for="seconds">Seconds</label>
        <input id="seconds" name="seconds" type="number" min={5} max={600} defaultValue="10" />
      </div>
      <button type="submit">Break it</button>
    </form>
  )
}
