import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { reconcile } from '../../bench/reconcile.ts'
import { tourEnv } from '../../lab/profile.ts'
import { addressesOf } from '../../scripts/stack/addresses.ts'
import { type LabState, type SwitchKind, tourNames } from '../../shared/contracts/lab.ts'
import { doNames } from '../../shared/contracts/steps.ts'
import { headerText } from '../../shared/kafka/raw-messages.ts'
import { followTopic } from '../../shared/kafka/read-topic.ts'
import { waitFor } from '../../shared/runtime/wait-for.ts'
import { type OwnStack, startOwnStack } from '../helpers/own-stack.ts'

const script = join(import.meta.dirname, '../../scripts/lab.ts')
const tourDeadlineMs = 600_000
/** For processes to be stopped, and to be back, on a busy machine. */
const backMs = 120_000

describe('the failure lab of a running shop', function () {
  this.timeout(2 * tourDeadlineMs)

  let own: OwnStack

  before(async () => {
    own = await startOwnStack({ lab: true, env: tourEnv })
  })
  after(() => own.close())

  /** A switch restarts processes before it is answered, which takes longer on a busy machine. */
  async function lab(method: 'GET' | 'POST', path = '', body?: object) {
    const { urls, secrets } = own.stack
    const response = await fetch(`${urls.operators}/api/v1/lab${path}`, {
      method,
      headers: {
        authorization: `Bearer ${secrets.operatorToken}`,
        'content-type': 'application/json',
      },
      ...(body && { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(backMs),
    })
    return { status: response.status, body: (await response.json()) as LabState }
  }
  const state = async () => (await lab('GET')).body
  const processOf = async (name: string) =>
    (await own.stack.status()).processes.find((process) => process.name === name)

  const broken = (kind: SwitchKind) =>
    lab('POST', '/switches', { kind, percent: 100, seconds: 600 })

  /** Buyers who buy until so many more purchases are accepted. */
  async function buy(count: number): Promise<void> {
    const enough = (await state()).purchases.accepted + count
    await lab('POST', '/buyers', { per_second: 4, seconds: 120 })
    const bought = async () => (await state()).purchases.accepted >= enough
    await waitFor('purchases', bought, 120_000)
    await lab('POST', '/buyers/stop')
  }

  /** Switches everything off, and waits until all that was bought meanwhile has ended as it must. */
  async function healed(): Promise<void> {
    await lab('POST', '/heal')
    const { looks } = await state()
    const isWhole = async () => {
      const { recovery, looks: now, invariants } = await state()
      return recovery?.open === 0 && now > looks + 1 && invariants?.checks.every(({ ok }) => ok)
    }
    await waitFor('every purchase to end', isWhole, 120_000)
    assert.deepEqual((await state()).violations, [])
  }

  it('ends a fault by itself after the stated time', async () => {
    const { status, body } = await lab('POST', '/switches', {
      kind: 'stop-engine',
      target: 'maildev',
      seconds: 15,
    })
    assert.equal(status, 200)
    assert.deepEqual(
      body.switches.map(({ target }) => target),
      ['maildev'],
    )
    assert.equal((await processOf('maildev'))?.state, 'stopped')

    await waitFor('the fault to end', async () => (await state()).switches.length === 0, backMs)
    const isBack = async () => (await processOf('maildev'))?.state === 'ready'
    await waitFor('it to be back', isBack, backMs)
  })

  it('removes at its start the faults that a lab before it has left', async () => {
    const marker = join(own.stack.dataDir, 'lab-faults.json')
    const restarted = (await processOf('order'))?.pid
    await lab('POST', '/switches', { kind: 'lose-replies', percent: 50, seconds: 600 })
    const faulty = (await processOf('order'))?.pid
    assert.ok(existsSync(marker))
    await own.stack.signal('lab', 'SIGKILL')
    await waitFor('the lab to be back', async () => (await lab('GET')).status === 200, backMs)

    assert.deepEqual((await state()).switches, [])
    assert.ok(!existsSync(marker))
    const pids = new Set([restarted, faulty, (await processOf('order'))?.pid])
    assert.equal(pids.size, 3)
  })

  it('sends every reply twice while that is switched on, and nothing is done twice', async () => {
    await using open = new AsyncDisposableStack()
    await broken('double-replies')
    const since = Date.now()
    const replies = new Map<string, number>()
    const reading = { group: 'lab-test', topic: 'replies' }
    const following = await followTopic(own.stack.urls.kafkaBrokers, reading, (_, message) => {
      const id = headerText(message, 'command_id')
      if (Number(message.timestamp) >= since) replies.set(id, (replies.get(id) ?? 0) + 1)
    })
    open.defer(() => following.close())

    await buy(8)

    await waitFor(
      'two of each reply',
      () => replies.size >= 8 * doNames.length && [...replies.values()].every((sent) => sent >= 2),
      backMs,
    )
    await healed()
  })

  it('takes the whole tour, every tour after the other, at whose end the invariants hold', async () => {
    assert.equal((await lab('POST', '/tour', { name: 'whole', short: true })).status, 200)
    assert.equal((await lab('POST', '/tour', { name: 'kill-payment' })).status, 409)
    const { tour, violations } = await waitFor(
      'the tour to end',
      async () => {
        const now = await state()
        return now.tour?.done && now
      },
      tourDeadlineMs,
    )

    const began = tour?.lines.filter((line) => /^\d of \d: /.test(line))
    assert.equal(tour?.ok, true, tour?.lines.join('\n'))
    assert.deepEqual(
      began,
      tourNames.map((name, index) => `${index + 1} of ${tourNames.length}: ${name}`),
    )
    assert.deepEqual(violations, [])
  })

  it('leaves a shop that the reconciler finds whole', async () => {
    const report = await reconcile(addressesOf(own.stack), { waitSeconds: 120 })

    assert.deepEqual(
      report.checks.filter(({ ok }) => !ok),
      [],
    )
    const { looks, purchases } = await state()
    assert.ok(looks > 0 && purchases.accepted > 0)
    assert.ok((purchases.by_status.RESOLVED ?? 0) > 0)
  })
})

describe('npm run lab', function () {
  this.timeout(2 * tourDeadlineMs)

  const run = (...args: string[]) =>
    new Promise<{ code: number | string; output: string }>((resolve) => {
      execFile(process.execPath, [script, ...args], (error, stdout, stderr) =>
        resolve({ code: error?.code ?? 0, output: stdout + stderr }),
      )
    })

  it('takes tours on a shop of its own, checks the invariants meanwhile, and ends with 0', async () => {
    const { code, output } = await run('--tour', '--short', 'kill-payment', 'two-hundred-buyers')

    assert.equal(code, 0, output)
    const [, kill = '', rush = ''] = output.split(/^kill-payment$|^two-hundred-buyers$/m)
    for (const tour of [kill, rush]) {
      assert.match(tour, /^ {2}every purchase has ended: /m, output)
      assert.match(tour, /^ {2}\d+ checks of the invariants hold$/m, output)
      assert.match(tour, /^ {2}the invariants hold after \d+ s$/m, output)
    }
    assert.match(kill, /the invariants were checked [1-9]\d* times/, output)
    assert.match(rush, /^ {2}10 of 40 got one$/m, output)
  })

  it('ends with 2 and its usage when it is asked for a tour that it does not have', async () => {
    const wrong = [['--tour', 'burn-it-down'], ['kill-payment']]

    for (const args of wrong) {
      const { code, output } = await run(...args)
      assert.deepEqual([code, output.split(' [')[0]], [2, 'npm run lab -- --tour'], args.join(' '))
    }
  })
})
