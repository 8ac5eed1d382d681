import type { Rig } from './rig.ts'

/** One of the faults F1 to F25. */
export type Drill = {
  id: string
  about: string
  /** In the long form, and in the short one. */
  purchases: number
  short: number
  run(rig: Rig): Promise<void>
}

/** One that needs no stack of its own: it is a test file, and the titles in it. */
export type TestedDrill = { id: string; about: string; file: string; grep: string }
