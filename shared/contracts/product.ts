import { z } from 'zod'
import type { Routes } from '../route.ts'
import { Amount } from './commands.ts'
import { IdParams, ListQuery, listOf } from './list.ts'
import { ProductMedia } from './media.ts'
import { text } from './text.ts'

/** PostgreSQL's integer, which counts stock. */
const Quantity = z.int().min(0).max(2_147_483_647)

export const CreateCategory = z.strictObject({ name: text(100), description: text(2_000) })
export type CreateCategory = z.infer<typeof CreateCategory>

export const Category = CreateCategory.extend({ id: z.uuid() })
export type Category = z.infer<typeof Category>

export const CreateProduct = z.strictObject({
  category_id: z.uuid(),
  id_account: z
    .uuid()
    .optional()
    .meta({ description: "Need not be given; when it is, it must be the caller's own" }),
  name: text(200),
  description: text(5_000),
  brand_name: text(100),
  price: Amount,
  inventory: Quantity,
})
export type CreateProduct = z.infer<typeof CreateProduct>

/** `inventory` is not here: stock changes by restocking and buying only, so that no unit is lost. */
export const UpdateProduct = CreateProduct.omit({ inventory: true, id_account: true })
  .partial()
  .refine((fields) => Object.keys(fields).length > 0, 'must change at least one field')
export type UpdateProduct = z.infer<typeof UpdateProduct>

export const Product = z.object({
  id: z.uuid(),
  category_id: z.uuid(),
  id_account: z.uuid(),
  name: z.string(),
  description: z.string(),
  brand_name: z.string(),
  price: Amount,
  currency_code: z.string(),
  inventory: z.int().meta({ description: 'What can be bought now' }),
})
export type Product = z.infer<typeof Product>

export const ProductWithMedia = Product.extend({
  media: z.array(ProductMedia).meta({
    description:
      'The first ten, in the order of upload; none while the media service does not answer',
  }),
})
export type ProductWithMedia = z.infer<typeof ProductWithMedia>

export const Restock = z.strictObject({ quantity: Quantity.min(1) })
export type Restock = z.infer<typeof Restock>

export const ProductListQuery = ListQuery.extend({
  category_id: z.uuid().optional(),
  id_account: z.uuid().optional(),
  q: text(100).optional().meta({
    description:
      'Words, each of which begins a word of the name, brand or description; case and accents do not matter',
  }),
})
export type ProductListQuery = z.infer<typeof ProductListQuery>

export const productRoutes = {
  listProducts: {
    method: 'get',
    path: '/products',
    summary: 'Products, newest first, of a category, a seller or with some words',
    query: ProductListQuery,
    status: 200,
    response: listOf(ProductWithMedia),
  },
  getProduct: {
    method: 'get',
    path: '/products/:id',
    summary: 'One product',
    params: IdParams,
    status: 200,
    response: ProductWithMedia,
  },
  createProduct: {
    method: 'post',
    path: '/products',
    summary: 'Create a product of the caller',
    auth: true,
    body: CreateProduct,
    status: 201,
    response: ProductWithMedia,
    errors: ['forbidden', 'unprocessable'],
  },
  updateProduct: {
    method: 'put',
    path: '/products/:id',
    summary: 'Change a product of the caller',
    auth: true,
    params: IdParams,
    body: UpdateProduct,
    status: 200,
    response: ProductWithMedia,
    errors: ['forbidden', 'unprocessable'],
  },
  restockProduct: {
    method: 'post',
    path: '/products/:id/restock',
    summary: 'Add stock; a repeat with the same Idempotency-Key adds nothing',
    auth: true,
    params: IdParams,
    headers: z.object({ 'idempotency-key': z.string().min(1).max(255) }),
    body: Restock,
    status: 200,
    response: ProductWithMedia,
    errors: ['forbidden', 'unprocessable'],
  },
  listCategories: {
    method: 'get',
    path: '/categories',
    summary: 'Categories, newest first',
    query: ListQuery,
    status: 200,
    response: listOf(Category),
  },
  getCategory: {
    method: 'get',
    path: '/categories/:id',
    summary: 'One category',
    params: IdParams,
    status: 200,
    response: Category,
  },
  createCategory: {
    method: 'post',
    path: '/categories',
    summary: 'Create a category',
    auth: true,
    body: CreateCategory,
    status: 201,
    response: Category,
  },
} as const satisfies Routes
