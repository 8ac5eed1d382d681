import assert from 'node:assert/strict'
import { waitFor } from '../../shared/runtime/wait-for.ts'
import type { Context } from './context.ts'
import { measure } from './measure.ts'
import { buy, buysAndIsDeclined, postsIn, readsMail, shopOf, uploads } from './shop-checks.ts'

const shopImage = 'saga-orchestration:'
const megabyte = 1_000_000
/** Without the base image, which is a stand-in here. */
const maxOwnMegabytes = 220

/** Builds the shop's image as the documentation says, and tells its size. */
export async function buildShop({ project, log }: Context): Promise<void> {
  await project.compose('build')
  const size = async (image: string) =>
    Number(await project.docker('image', 'inspect', '--format', '{{.Size}}', image))
  const image = (await project.compose('config', '--images')).split('\n')
  const ours = image.find((name) => name.startsWith(shopImage)) ?? ''
  const base =
    (await project.docker('images', '--format', '{{.Repository}}:{{.Tag}}', 'node')) || ''
  const [all, under] = [await size(ours), await size(base)].map((bytes) =>
    Math.round(bytes / megabyte),
  ) as [number, number]
  log(`the image of the shop: ${all} MB, ${all - under} of them above ${base}`)
  assert.ok(all - under <= maxOwnMegabytes, `the image has more than ${maxOwnMegabytes} MB of ours`)
}

/** Runs the reconciler in a container of its own. */
export async function reconciles({ project, log }: Context): Promise<void> {
  const report = await project.compose('run', '--rm', '--no-TTY', 'bench', 'bench/reconcile.ts')
  log(report.split('\n').at(-1) ?? '')
}

function survives(killed: string) {
  return async (context: Context): Promise<void> => {
    const from = Date.now()
    await context.project.kill(killed)
    assert.equal((await buy(context)).status, 'COMPLETED')
    await context.project.ready()
    context.log(`all ready ${Math.round((Date.now() - from) / 1000)} s after ${killed} was killed`)
  }
}

async function scales(context: Context): Promise<void> {
  const { project, log } = context
  const before = await project.containers()

  await project.up('--scale', 'purchase=3')
  // Traefik looks replicas up when it opens a connection, and keeps those that it has for 90 s.
  const each = await waitFor(
    'more than one replica to serve',
    async () => {
      const ends = await Promise.all(Array.from({ length: 30 }, () => buy(context)))
      assert.ok(ends.every(({ status }) => status === 'COMPLETED'))
      const counts = (await project.metrics('purchase')).map(postsIn)
      return counts.filter((count) => count > 0).length > 1 && counts
    },
    150_000,
  )
  log(`purchases by replica: ${each.join(', ')}`)
  assert.equal(each.length, 3)

  await project.up()
  assert.deepEqual(await project.containers(), before, 'an up without a change made new containers')
}

async function keepsData(context: Context): Promise<void> {
  const { project } = context
  const { customer, purchaseId } = shopOf(context)

  await project.compose('down')
  assert.deepEqual(await project.containers(), [])
  assert.deepEqual(await project.volumes(), await project.namedVolumes())
  await project.up()

  assert.equal((await customer.getPurchase(purchaseId)).status, 'COMPLETED')
  assert.equal((await buy(context)).status, 'COMPLETED')
}

/** Stops everything, with its data. */
export async function removesAll({ project }: Context): Promise<void> {
  await project.compose('down', '--volumes')
  assert.deepEqual(await project.volumes(), [])
}

/** In their order: each needs what those before it have left. */
export const steps: [title: string, check: (context: Context) => Promise<void>][] = [
  ['`up --wait` brings everything up healthy', async ({ project }) => void (await project.up())],
  ['a purchase completes and one is declined', buysAndIsDeclined],
  ['an uploaded image is on the CDN', uploads],
  ['the customer has mail', readsMail],
  ['the reconciler finds no violation', reconciles],
  ['memory and CPU, if they are asked for', measure],
  ['a killed service comes back and its purchase completes', survives('payment')],
  ['a killed Kafka comes back and its purchase completes', survives('kafka')],
  ['a killed PostgreSQL comes back and its purchase completes', survives('product-db')],
  ['a killed mail server comes back and gets mail', survives('mailhog')],
  ['three replicas of purchase share its requests, and back', scales],
  ['the reconciler finds no violation after that', reconciles],
  ['`down` and `up` keep the data', keepsData],
  ['`down --volumes` leaves nothing', removesAll],
]
