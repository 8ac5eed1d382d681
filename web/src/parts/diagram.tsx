import { participants } from '../../../shared/contracts/steps.ts'
import type { SagaStep } from './saga.ts'

const width = 600
const top = 70
const bottom = 170
const boxWidth = 150

type Lane = { participant: string; x: number; steps: SagaStep[] }

/** How a service stands: what was done there last, or is asked of it now. */
function laneState({ steps }: Lane): string {
  const last = steps.findLast(({ state }) => state !== 'todo')
  if (!last) return 'todo'
  return last.isUndo ? `undo-${last.state}` : last.state
}

const marks: Record<string, string> = {
  todo: '',
  asked: '…',
  done: '✓',
  rejected: '✕',
  'undo-asked': '↩ …',
  'undo-done': '↩ ✓',
}

/** A message on its way: a command goes down, its reply comes up. An undo goes the same way in another colour. */
function Messages({ lane }: { lane: Lane }) {
  const asked = lane.steps.find(({ state }) => state === 'asked')
  const last = lane.steps.findLast(({ state }) => state === 'done' || state === 'rejected')
  return (
    <>
      {asked && (
        <circle
          key={`${asked.name} asked`}
          class={`message down ${asked.isUndo ? 'undo' : ''}`}
          cx={lane.x}
          cy={top}
          r={8}
        />
      )}
      {last && (
        <circle
          key={`${last.name} replied`}
          class={`message up ${last.isUndo ? 'undo' : ''} ${last.state}`}
          cx={lane.x}
          cy={bottom}
          r={8}
        />
      )}
    </>
  )
}

/**
 * The saga above, the services below, and what moves between them. It shows no more than the list of steps beside it
 * says, so a screen reader is spared it.
 */
export function Diagram({ steps }: { steps: SagaStep[] }) {
  const lanes: Lane[] = participants.map((participant, index) => ({
    participant,
    x: (width / participants.length) * (index + 0.5),
    steps: steps.filter((step) => step.participant === participant),
  }))
  return (
    <svg class="diagram" viewBox={`0 0 ${width} 250`} aria-hidden="true" focusable="false">
      <rect class="place saga" x="10" y="10" width={width - 20} height={top - 10} rx="10" />
      <text x={width / 2} y="46">
        saga
      </text>
      {lanes.map((lane) => (
        <g key={lane.participant} class={`lane ${laneState(lane)}`}>
          <line x1={lane.x} x2={lane.x} y1={top} y2={bottom} />
          <Messages lane={lane} />
          <rect
            class="place"
            x={lane.x - boxWidth / 2}
            y={bottom}
            width={boxWidth}
            height="70"
            rx="10"
          />
          <text x={lane.x} y={bottom + 30}>
            {lane.participant}
          </text>
          <text class="mark" x={lane.x} y={bottom + 56}>
            {marks[laneState(lane)] ?? ''}
          </text>
        </g>
      ))}
    </svg>
  )
}
