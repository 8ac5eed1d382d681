import { setTimeout as sleep } from 'node:timers/promises'
import type { Rig } from '../rig.ts'
import { type AlertFault, takeDown } from './fault.ts'

/** Longer than the alert allows, and short enough that no scrape meets its timeout. */
const stoppedMs = 580
/** Too short for two scrapes in it. */
const runsMs = 180

/** Gives a process the CPU in short moments only, so that its event loop is always late. */
async function starve(rig: Rig, name: string, over: AbortSignal): Promise<void> {
  while (!over.aborted) {
    await rig.stack.signal(name, 'SIGSTOP')
    await sleep(stoppedMs)
    await rig.stack.signal(name, 'SIGCONT')
    await sleep(runsMs)
  }
}

export const processFaults: AlertFault[] = [
  {
    what: 'media is killed and stays down',
    alerts: ['ProcessDown'],
    run: (rig, over) => takeDown(rig, 'media', over),
  },
  {
    what: 'media runs for 0.2 s, and is stopped for 0.6 s, again and again',
    alerts: ['EventLoopBlocked'],
    run: (rig, over) => starve(rig, 'media', over),
  },
  {
    what: 'media is killed as soon as it is back, again and again',
    alerts: ['ProcessRestarts'],
    async run(rig, over) {
      while (!over.aborted) {
        await rig.kill('media')
        // So that Prometheus sees each of them, and the launcher does not wait longer each time.
        await sleep(2_500)
      }
    },
  },
]
