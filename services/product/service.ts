import { createCatalog } from './catalog.ts'
import { createInventory } from './inventory.ts'
import { createStock } from './stock.ts'

export type ProductService = ReturnType<typeof createProductService>

/** What sellers write and anyone reads, and what purchases do to the stock. */
export function createProductService(
  deps: Parameters<typeof createCatalog>[0] & Parameters<typeof createStock>[0],
) {
  return { ...createCatalog(deps), ...createInventory(deps), ...createStock(deps) }
}
