import type { Customer } from '../../scripts/stack/shop-client.ts'
import { newId } from '../../shared/contracts/ids.ts'
import type { Product } from '../../shared/contracts/product.ts'

/** A product of 125 đ in a category of its own, for tests to which it does not matter what is bought. */
export async function sellTea(seller: Customer, inventory = 1_000): Promise<Product> {
  const category = await seller.createCategory(`Tea ${newId()}`)
  return seller.createProduct({
    category_id: category.id,
    name: 'Tea',
    description: 'Leaves',
    brand_name: 'Hill',
    price: 125,
    inventory,
  })
}
