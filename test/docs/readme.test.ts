import assert from 'node:assert/strict'
import type { Purchase } from '../../shared/contracts/purchase.ts'
import { commandNames, commandSteps } from '../../shared/contracts/steps.ts'
import { waitFor } from '../../shared/runtime/wait-for.ts'
import { curl, fillIn } from '../helpers/curl.ts'
import { codes, fences, readDocument, section } from './markdown.ts'

/** For a purchase to end on a busy machine. */
const endMs = 60_000

type Answer = Awaited<ReturnType<typeof curl>>

describe('README.md', () => {
  let text: string

  before(async () => {
    text = await readDocument('README.md')
  })

  describe('its walk-through', function () {
    this.timeout(240_000)

    let commands: string[]
    let buying: string
    let reading: string
    const known: Record<string, string> = {}

    const run = (command: string): Promise<Answer> => curl(fillIn(command, known))

    function take(path: string): string {
      const command = commands.shift() ?? 'nothing'
      assert.ok(command.includes(`'http://localhost/api/v1${path}`), `${path}, not ${command}`)
      return command
    }

    /** Runs the next command, which must be about `path`. */
    async function next(path: string, ...statuses: number[]): Promise<Answer['body']> {
      const { status, body } = await run(take(path))
      assert.ok(statuses.includes(status), `${path}: ${status} ${JSON.stringify(body)}`)
      return body
    }

    before(() => {
      const scripts = fences(section(text, '## Buy something'), 'bash')
      commands = scripts.flatMap((script) => script.split(/^(?=curl )/m))
    })

    it('registers (or has registered before) and logs in', async () => {
      await next('/account/register', 201, 409)
      const tokens = await next('/account/login', 200)

      known.access_token = String(tokens.access_token)
    })

    it('reads personal information, with the id of the account', async () => {
      const personal = await next('/account/customer/personal', 200)

      known.id_account = String(personal.id)
      assert.equal(personal.last_name, 'trai')
    })

    it('creates a category and two products, whose ids are in the answers', async () => {
      known.category_id = String((await next('/categories', 201)).id)
      known.first_product_id = String((await next('/products', 201)).id)
      const second = await next('/products', 201)

      known.second_product_id = String(second.id)
      assert.equal(second.id_account, known.id_account)
    })

    it('buys, and shows the purchase, order and payment as it says', async () => {
      buying = take('/purchases')
      const accepted = await run(buying)
      known.purchase_id = String(accepted.body.purchase_id)
      assert.equal(accepted.status, 202)
      assert.equal(accepted.body.amount, 1250)

      reading = commands[0] ?? ''
      const shown = { purchases: 'COMPLETED', orders: 'CONFIRMED', payments: 'CAPTURED' }
      for (const [path, status] of Object.entries(shown)) {
        const command = take(`/${path}/`)
        const isShown = async () => (await run(command)).body.status === status
        await waitFor(`${path} to be ${status}`, isShown, endMs)
      }
      assert.equal(commands.length, 0)
    })

    it('fails as its timeline shows when the payment is declined', async () => {
      const payment = codes(text).find((code) => code.includes('sim_declined')) ?? 'none'
      const declined = buying.replace(/"payment": \{[^}]*\}/, payment)
      assert.ok(declined.includes(payment))
      const accepted = await run(declined)
      known.purchase_id = String(accepted.body.purchase_id)

      const undone = async () => {
        const found = (await run(reading)).body as unknown as Purchase
        const lastUndo = commandNames.map((name) => commandSteps[name].step).at(-1)
        const last = found.steps.at(-1)?.name
        return found.status === 'REJECTED' && last === lastUndo ? found : undefined
      }
      const purchase = await waitFor('the purchase to be undone', undone, endMs)

      const [output = ''] = fences(section(text, '## Quick start'), 'text')
      const [, timeline = ''] = output.split('everything is undone')
      const shown = [...timeline.matchAll(/^ +\d+ ms {2}(.*)$/gm)].map(([, what]) => what)
      assert.deepEqual(shown, [
        'ACCEPTED',
        ...purchase.steps.map(({ name, outcome, reason }) => `${name} ${reason ?? outcome}`),
        `REJECTED (${purchase.failed_step}: ${purchase.reason})`,
      ])
    })
  })
})
