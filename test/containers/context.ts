import type { Project } from './project.ts'
import type { ShopContext } from './shop-checks.ts'

/** What the checks share. */
export type Context = ShopContext & {
  project: Project
  measure: boolean
  log(line: string): void
}
