import type { Report } from './findings.ts'
import type { Summary } from './stats.ts'
import { maxServicesRssMb } from './targets.ts'

/** What was measured beside one kind of neighbour. */
export type Measured = {
  name: string
  /** What p99 must not exceed, ms; undefined for the case that the others are compared with. */
  must: number | undefined
  times: Summary
  /** Why the stranger stopped early. */
  problem: string | undefined
  /** Undefined when it was not measured. */
  servicesRssMb: number | undefined
  /** How often each answer came, to the others and to a stranger who was refused. */
  answers: [answer: string, count: number][]
}

export type Neighbours = { measured: Measured[]; reconciled: Report }

const ms = (value: number) => `${Math.round(value)}`.padStart(6)
const within = (value: number, most: number) => `${value <= most ? '≤' : 'MISSED'} ${most}`

/** A row per case, with what it must not exceed. */
export function fairnessRows({ measured }: Neighbours): string[][] {
  return [
    ['a purchase', '   p50', '   p99', '   max', 'must', 'services MB', 'must', 'answers'],
    ...measured.map(({ name, must, times, servicesRssMb, answers }) => [
      name,
      ms(times.p50),
      ms(times.p99),
      ms(times.max),
      must === undefined ? '' : within(times.p99, must),
      `${servicesRssMb ?? ''}`,
      servicesRssMb === undefined ? '' : within(servicesRssMb, maxServicesRssMb),
      answers.map(([answer, count]) => `${answer} ×${count}`).join(', '),
    ]),
  ]
}

/** Why the study fails; nothing when it does not. */
export function fairnessFailures({ measured, reconciled }: Neighbours): string[] {
  const broken = reconciled.checks.filter(({ ok }) => !ok)
  return [
    ...measured.flatMap((one) => problemsOf(one).map((problem) => `${one.name}: ${problem}`)),
    ...broken.map(({ name, detail }) => `the reconciler: ${name}: ${detail.split('\n')[0]}`),
  ]
}

function problemsOf({ must, times, problem, servicesRssMb, answers }: Measured): string[] {
  const missed = must !== undefined && !(times.p99 <= must)
  const large = servicesRssMb !== undefined && servicesRssMb > maxServicesRssMb
  return [
    ...(problem === undefined ? [] : [problem]),
    ...(missed ? [`p99 ${Math.round(times.p99)} ms of ${must} ms`] : []),
    ...(large ? [`all services took ${servicesRssMb} MB of ${maxServicesRssMb} MB`] : []),
    ...answers
      .filter(([answer]) => isWrong(answer))
      .map(([answer, count]) => `answered ${answer}, ${count} times`),
  ]
}

/** A fault of the shop, or a refusal that does not say when to come again. */
function isWrong(answer: string): boolean {
  const [, status] = /\b(5\d\d)\b/.exec(answer) ?? []
  return answer.endsWith('without Retry-After') || (status !== undefined && status !== '503')
}
