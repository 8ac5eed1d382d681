import type { Rig } from './rig.ts'

/** One of the faults F1 to F28. */
export type Drill = {
  id: string
  about: string
  /** In the long form, and in the short one. */
  purchases: number
  short: number
  run(rig: Rig): Promise<void>
}

/** A drill without a stack of its own: a test file, and the titles in it. */
export type TestedDrill = { id: string; about: string; file: string; grep: string }
