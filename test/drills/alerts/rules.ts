import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parse, stringify } from 'yaml'

/** How many times shorter every duration is in the drill: an hour is four minutes, a scrape comes every second. */
export const timesFaster = 15

export type Rule = { alert?: string; record?: string; expr: string; for?: string }
export type RuleFile = { groups: { name: string; rules: Rule[] }[] }

export const rulesFolder = join(import.meta.dirname, '../../../deploy/observability')
export const ruleFiles = ['objectives.yml', 'alerts.yml']

const unitMs: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }
const range = /(?<=\[)\w+(?=\])|(?<=\boffset )\w+/g
/** A comparison of how long something has waited; any other number of a rule is a count, a rate or a share. */
const age = /(\w+_(?:oldest_\w+|wait)_seconds(?:_bucket)?\b[^<>]*>\s*)(\d+)/g

/** Throws for what is not one number and its unit. */
function scaleDuration(text: string): string {
  const [, number, unit = ''] = /^(\d+)([a-z]+)$/.exec(text) ?? []
  const ms = unitMs[unit]
  if (ms === undefined) throw new Error(`${text} is no duration that can be scaled`)
  return `${(Number(number) * ms) / timesFaster}ms`
}

/** The same rules, with every range, offset, `for` and age that much shorter. */
export function scaleRules(text: string): string {
  const { groups } = parse(text) as RuleFile
  const scaled = groups.map((group) => ({
    ...group,
    rules: group.rules.map((rule) => ({
      ...rule,
      expr: rule.expr
        .replace(range, scaleDuration)
        .replace(age, (_, series, seconds) => `${series}${seconds / timesFaster}`),
      ...(rule.for !== undefined && { for: scaleDuration(rule.for) }),
    })),
  }))
  return stringify({ groups: scaled })
}

/** Writes the project's own rules into a folder, scaled. */
export async function writeScaledRules(folder: string): Promise<void> {
  for (const file of ruleFiles) {
    await writeFile(join(folder, file), scaleRules(await readFile(join(rulesFolder, file), 'utf8')))
  }
}

/** The names of the project's alerts, in the order of their file. */
export async function readAlertNames(): Promise<string[]> {
  const { groups } = parse(await readFile(join(rulesFolder, 'alerts.yml'), 'utf8')) as RuleFile
  return groups.flatMap(({ rules }) => rules.flatMap(({ alert }) => alert ?? []))
}
