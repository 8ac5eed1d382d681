import type { Customer } from '../../scripts/stack/shop-client.ts'
import type { Profile, Project } from './project.ts'

/** What the checks share. */
export type Context = {
  project: Project
  profile: Profile
  measure: boolean
  log(line: string): void
  /** Of the first check that buys, for those after it. */
  shop?: { customer: Customer; productId: string; purchaseId: string }
}
