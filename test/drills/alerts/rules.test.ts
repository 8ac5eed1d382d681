import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parse } from 'yaml'
import { findPromtool } from '../../../scripts/stack/prometheus-programs.ts'
import { run } from '../../../scripts/stack/run-command.ts'
import {
  type Rule,
  type RuleFile,
  ruleFiles,
  rulesFolder,
  scaleRules,
  timesFaster,
  writeScaledRules,
} from './rules.ts'

const unitSeconds: Record<string, number> = { ms: 0.001, s: 1, m: 60, h: 3_600, d: 86_400 }
const duration = /(?<![\w:.])(\d+)(ms|[smhd])\b/g

/** Every duration of a rule, in seconds. */
function durationsOf({ expr, for: pending = '' }: Rule): number[] {
  return [...`${expr} ${pending}`.matchAll(duration)].map(
    ([, number, unit = '']) => Number(number) * (unitSeconds[unit] ?? Number.NaN),
  )
}

/** What a rule compares with. */
const limitsOf = ({ expr }: Rule) =>
  [...expr.matchAll(/[<>]=? *([\d.]+)/g)].map(([, number]) => Number(number))

describe('the rules of the drill', () => {
  let pairs: [Rule, Rule][]

  before(async () => {
    const texts = await Promise.all(
      ruleFiles.map((file) => readFile(join(rulesFolder, file), 'utf8')),
    )
    const rulesOf = (text: string) => (parse(text) as RuleFile).groups.flatMap(({ rules }) => rules)
    pairs = texts.flatMap((text) => {
      const scaled = rulesOf(scaleRules(text))
      return rulesOf(text).map((rule, index): [Rule, Rule] => [rule, scaled[index] as Rule])
    })
  })

  it('are those of the project, with every duration so many times shorter', () => {
    assert.ok(pairs.flatMap(([rule]) => durationsOf(rule)).length > 60)
    for (const [rule, scaled] of pairs) {
      const expected = durationsOf(rule).map((seconds) => seconds / timesFaster)
      assert.deepEqual(durationsOf(scaled), expected, rule.alert ?? rule.record)
      const same = { ...rule, expr: '', for: '' }
      assert.deepEqual({ ...scaled, expr: '', for: '' }, same)
    }
  })

  it('compare ages with that much less, and everything else with the same', () => {
    const changed = pairs
      .filter(([rule, scaled]) => limitsOf(rule).join() !== limitsOf(scaled).join())
      .map(([rule, scaled]) => [rule.alert, limitsOf(rule), limitsOf(scaled)])

    assert.deepEqual(changed, [
      ['PurchaseStuck', [300], [20]],
      ['PurchasesWaitForTurn', [0, 30], [0, 2]],
      ['OutboxWaits', [60], [4]],
    ])
  })

  it('are rules that Prometheus accepts', async function () {
    this.timeout(300_000)
    const folder = await mkdtemp(join(tmpdir(), 'saga-rules-'))
    try {
      await writeScaledRules(folder)
      const promtool = await findPromtool(() => undefined)

      await run(promtool, ['check', 'rules', ...ruleFiles], { cwd: folder })
    } finally {
      await rm(folder, { recursive: true })
    }
  })

  it('are not made of a duration that cannot be scaled', () => {
    const rule = (text: string) =>
      `groups: [{ name: shop, rules: [{ alert: Any, expr: up == 0, for: ${text} }] }]`

    assert.throws(() => scaleRules(rule('1h30m')), /1h30m is no duration/)
    assert.match(scaleRules(rule('30m')), /for: 120000ms/)
  })
})
