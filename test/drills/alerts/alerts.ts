import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { formatTable } from '../../../scripts/stack/table.ts'
import { startOwnStack } from '../../helpers/own-stack.ts'
import { accountEnv } from '../drill-stack.ts'
import { type Profile, profileEnv } from '../profile.ts'
import { openRig, type Rig } from '../rig.ts'
import { untilEnded } from '../shop-database.ts'
import type { AlertFault } from './fault.ts'
import { faults } from './faults.ts'
import { readAlertNames, timesFaster, writeScaledRules } from './rules.ts'
import { type AlertWatch, watchAlerts } from './watch.ts'

/** Sixteen customers. */
const purchases = 64
const firesWithinSeconds = 150
/** The longest window of an alert that must be over, scaled, and some time for a busy machine. */
const silentWithinSeconds = 300
const settledWithinSeconds = 120

type Fired = { what: string; seconds: number | undefined; overAt: number }

/** Runs a fault until its alerts fire, and notes when they did. */
async function provoke(rig: Rig, watch: AlertWatch, fault: AlertFault, fired: Map<string, Fired>) {
  const { what, alerts, afterwards = [] } = fault
  rig.say(what)
  const all = [...alerts, ...afterwards]
  await watch.untilSilent(all, silentWithinSeconds).catch(() => undefined)
  const early = all.filter((name) => watch.firing().includes(name))
  rig.require(early.length === 0, `fires before its fault: ${early.join(', ')}`)

  async function note(names: string[]): Promise<void> {
    const from = Date.now()
    await Promise.all(
      names.map(async (name) => {
        const at = early.includes(name) ? undefined : await watch.firedAt(name, firesWithinSeconds)
        const seconds = at && Math.max(0, Math.round((at - from) / 1_000))
        fired.set(name, { what, seconds, overAt: from })
        rig.require(seconds !== undefined, `${name} did not fire`)
        if (seconds !== undefined) rig.say(`${name} fires after ${seconds} s`)
      }),
    )
  }

  const over = new AbortController()
  const broken = fault.run(rig, over.signal).catch((error: Error) => {
    rig.require(false, `${what}: ${error.message}`)
    rig.say(error.stack ?? '')
  })
  await note(alerts)
  over.abort()
  for (const name of alerts) Object.assign(fired.get(name) ?? {}, { overAt: Date.now() })
  await broken
  await note(afterwards)
  await rig.heal()
  await settle(rig)
}

/** Waits until every purchase has ended, so that what the next fault fires is its own doing. */
async function settle(rig: Rig): Promise<void> {
  await untilEnded(rig.stack, settledWithinSeconds * 1_000).catch((error: Error) =>
    rig.require(false, error.message),
  )
}

/** A few purchases that end in each way, so that what counts them has begun to. */
async function warmUp(rig: Rig): Promise<void> {
  const { customers } = await rig.buyers()
  await rig.buy({ purchases: 2 * customers.length, methods: { sim_declined: 0.3 } })
}

function printTable(rig: Rig, watch: AlertWatch, fired: Map<string, Fired>): void {
  const rows = [...fired].map(([name, { what, seconds, overAt }]) => {
    const silent = watch.silentAfter(name, overAt)
    const resolved = silent === undefined ? '–' : Math.round((silent - overAt) / 1_000)
    return [name, seconds ?? 'never', resolved, what]
  })
  rig.say(
    `alerts\n${formatTable([['alert', 'fired after s', 'resolved after s', 'fault'], ...rows])}`,
  )
}

async function provokeAll(rig: Rig, chosen: AlertFault[], signal: AbortSignal): Promise<void> {
  const { processes } = await rig.stack.status()
  const [port] = processes.find(({ name }) => name === 'prometheus')?.ports ?? []
  const watch = watchAlerts(`http://127.0.0.1:${port}`)
  const fired = new Map<string, Fired>()
  try {
    await warmUp(rig)
    await watch
      .untilSilent(await readAlertNames(), silentWithinSeconds)
      .catch(() => rig.require(false, `fire in a shop that is well: ${watch.firing().join(', ')}`))
    for (const fault of chosen) {
      signal.throwIfAborted()
      await provoke(rig, watch, fault, fired)
    }
    rig.say('everything is restored')
    const names = [...fired.keys()]
    await watch
      .untilSilent(names, silentWithinSeconds)
      .catch(() => rig.require(false, `did not resolve: ${watch.firing().join(', ')}`))
    printTable(rig, watch, fired)
  } finally {
    await watch.close()
  }
}

/** Fires every alert of the project in a shop of its own, or those that are named, each by a fault. */
export async function runAlerts(
  { only }: { only: string[] },
  profile: Profile,
  print: (line: string) => void,
  signal: AbortSignal,
): Promise<boolean> {
  const isChosen = (name: string) => only.length === 0 || only.includes(name.toUpperCase())
  const chosen = faults.filter(({ alerts, afterwards = [] }) =>
    [...alerts, ...afterwards].some(isChosen),
  )
  const rules = await mkdtemp(join(tmpdir(), 'saga-rules-'))
  await writeScaledRules(rules)
  const own = await startOwnStack({
    observe: { rules, timesFaster },
    env: {
      orchestrator: profileEnv(profile),
      account: accountEnv,
    },
    signal,
  })
  let ok = false
  try {
    print(`\nalerts: each is fired by a fault; all durations are ${timesFaster} times shorter`)
    const rig = await openRig({
      ...{ stack: own.stack, seed: 1, purchases, short: false, profile, print },
    })
    await provokeAll(rig, chosen, signal)
    const { violations } = rig.findings()
    for (const { what } of violations) print(what)
    ok = violations.length === 0
    return ok
  } finally {
    await own.close({ keep: !ok })
    await rm(rules, { recursive: true })
    if (!ok) print(`the data is kept in ${own.stack.dataDir}`)
  }
}
