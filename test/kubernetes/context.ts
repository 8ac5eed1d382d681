import type { ShopContext } from '../containers/shop-checks.ts'
import type { Cluster } from './cluster.ts'

/** What the steps share. */
export type Context = ShopContext & {
  cluster: Cluster
  log(line: string): void
}
