import assert from 'node:assert/strict'
import { mkdir, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { run } from '../../scripts/stack/run-command.ts'
import { serviceNames } from '../../scripts/stack/services.ts'
import type { Customer } from '../../scripts/stack/shop-client.ts'
import { openBuyers } from '../drills/buyers.ts'
import { createRandom } from '../drills/random.ts'
import { readUntil } from '../drills/upgrade/reader.ts'
import { lastRelease, unpackRelease } from '../drills/upgrade/release.ts'
import { reconciles, removesAll } from './checks.ts'
import type { Context } from './context.ts'
import { runFolder } from './enter.ts'

/*
 * `npm run compose-test -- --upgrade`: the last release is replaced by this code under load, and back, in the folder in
 * which an operator changes the version.
 */

const checkout = join(import.meta.dirname, '../..')
/** The operator's folder. */
export const shopFolder = join(runFolder, 'shop')
const purchases = 100
const perSecond = 5
const methods = { sim_declined: 0.1, sim_fail_once: 0.05 }
const jobs = /^(migrate-\w+|topics|buckets|temporal-namespace)$/

/** Does what `git checkout` of a version does to the folder. */
async function checkOut(version: 'release' | 'this code'): Promise<void> {
  await mkdir(shopFolder, { recursive: true })
  for (const name of await readdir(shopFolder)) {
    await rm(join(shopFolder, name), { recursive: true })
  }
  if (version === 'release') return unpackRelease((await lastRelease()).commit, shopFolder)
  const copy =
    'git ls-files -z --cached --others --exclude-standard | tar --null -cf - -T - | tar -xf - -C "$0"'
  await run('sh', ['-euc', copy, shopFolder], { cwd: checkout })
}

async function startsRelease({ project }: Context): Promise<void> {
  await checkOut('release')
  await project.compose('build')
  await project.up()
}

function replacesAll(version: 'release' | 'this code') {
  return async ({ project, log }: Context): Promise<void> => {
    const random = createRandom(1)
    const buyers = await openBuyers('http://localhost', random, purchases)
    const [reader] = buyers.customers as [Customer]
    await checkOut(version)
    await project.compose('build')

    async function replacing(): Promise<void> {
      const services = (await project.compose('config', '--services')).split('\n')
      for (const job of services.filter((name) => jobs.test(name))) {
        await project.compose('run', '--rm', '--no-TTY', '--no-deps', job)
      }
      for (const name of random.pickSome(serviceNames, serviceNames.length)) {
        const from = Date.now()
        await project.up('--no-deps', name)
        log(`${name}: ${version}, healthy after ${Date.now() - from} ms`)
      }
    }

    const during = replacing()
    const [bought, { reads, repeated, failed }] = await Promise.all([
      buyers.buy({ purchases, during, perSecond, methods }),
      readUntil(during, reader, buyers.products[0]?.id ?? ''),
      during,
    ])
    const again = bought.filter(({ tries }) => tries > 1).length
    log(
      `${bought.length} purchases, ${again} asked for more than once; reads: ${reads}, ${repeated}`,
    )
    assert.deepEqual(failed, [])
    assert.deepEqual(
      bought.filter(({ status }) => ![202, 409, 422].includes(status)),
      [],
    )
  }
}

/** In their order, in place of the other checks. */
export const upgradeSteps: [title: string, check: (context: Context) => Promise<void>][] = [
  ['the last release comes up', startsRelease],
  ['its services are replaced by this code under load', replacesAll('this code')],
  ['the reconciler finds no violation', reconciles],
  ['they are replaced by the release under load', replacesAll('release')],
  ['the reconciler finds no violation after that', reconciles],
  ['`down --volumes` leaves nothing', removesAll],
]
