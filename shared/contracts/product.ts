import { z } from 'zod'
import { Amount } from './commands.ts'
import { IdParams, ListQuery, listOf } from './list.ts'
import { ProductMedia } from './media.ts'
import type { Routes } from './route.ts'
import { text } from './text.ts'

/** PostgreSQL's integer, which counts stock. */
const Quantity = z.int().min(0).max(2_147_483_647)

export const CreateCategory = z
  .strictObject({
    name: text(100),
    description: text(2_000, { lines: 'many' }),
  })
  .meta({ examples: [{ name: 'Cups', description: 'To drink from' }] })
export type CreateCategory = z.infer<typeof CreateCategory>

export const Category = z.object({ id: z.uuid(), name: z.string(), description: z.string() })
export type Category = z.infer<typeof Category>

export const CreateProduct = z
  .strictObject({
    category_id: z.uuid().toLowerCase(),
    id_account: z
      .uuid()
      .toLowerCase()
      .optional()
      .meta({ description: "Need not be given; when it is, it must be the caller's own" }),
    name: text(200),
    description: text(5_000, { lines: 'many' }),
    brand_name: text(100),
    price: Amount,
    inventory: Quantity,
  })
  .meta({
    examples: [
      {
        category_id: '01980a4e-7a10-7c3e-9d41-5b8f2c6e1a70',
        name: 'Tea cup',
        description: 'Glazed by hand',
        brand_name: 'Hill',
        price: 125_000,
        inventory: 40,
      },
    ],
  })
export type CreateProduct = z.infer<typeof CreateProduct>

/** `inventory` is not here: stock changes by restocking and buying only, so that no unit is lost. */
export const UpdateProduct = CreateProduct.omit({ inventory: true, id_account: true })
  .partial()
  .refine((fields) => Object.keys(fields).length > 0, 'must change at least one field')
  .meta({ examples: [{ price: 119_000 }] })
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
  inventory: z.int().meta({
    description:
      'What can be bought now; in answers to its seller the free stock, also of a withdrawn product',
  }),
  withdrawn: z.boolean().meta({ description: 'It is not sold any more, and in no public list' }),
  version: z.string().meta({
    description:
      'Another one after each change of what its seller may change; the ETag of one product',
  }),
})
export type Product = z.infer<typeof Product>

export const ProductWithMedia = Product.extend({
  media: z.array(ProductMedia).meta({
    description:
      'The first ten, in the order of upload; none while the media service does not answer',
  }),
})
export type ProductWithMedia = z.infer<typeof ProductWithMedia>

export const Restock = z
  .strictObject({ quantity: Quantity.min(1) })
  .meta({ examples: [{ quantity: 20 }] })
export type Restock = z.infer<typeof Restock>

export const AdjustStock = z
  .strictObject({
    quantity: Quantity.min(1).meta({ description: 'How much is taken out of the free stock' }),
    reason: text(500),
  })
  .meta({ examples: [{ quantity: 2, reason: 'Broken in the warehouse' }] })
export type AdjustStock = z.infer<typeof AdjustStock>

export const StockAdjustment = z.object({
  id: z.uuid(),
  quantity: z.int(),
  reason: z.string(),
  created_at: z.iso.datetime(),
})
export type StockAdjustment = z.infer<typeof StockAdjustment>

export const ProductListQuery = ListQuery.extend({
  category_id: z.uuid().toLowerCase().optional(),
  id_account: z.uuid().toLowerCase().optional(),
  q: text(100).optional().meta({
    description:
      'Words, each of which begins a word of the name, brand or description; case and accents do not matter',
  }),
})
export type ProductListQuery = z.infer<typeof ProductListQuery>

export const OwnProductListQuery = ProductListQuery.omit({ id_account: true }).extend({
  withdrawn: z.enum(['true', 'false']).optional(),
})
export type OwnProductListQuery = z.infer<typeof OwnProductListQuery>

const CreationHeaders = z.object({ 'idempotency-key': text(255).optional() })
const ChangeHeaders = z.object({
  'if-match': text(1_000).optional().meta({
    description:
      'ETags of the product, one of which it must have, so that no change of others is lost',
  }),
})

/** PUT takes the fields that change as well, as it always has; PATCH is the method that says so. */
const changeProduct = {
  path: '/products/:id',
  auth: true,
  role: 'seller',
  params: IdParams,
  headers: ChangeHeaders,
  body: UpdateProduct,
  status: 200,
  etag: 'version',
  response: ProductWithMedia,
  errors: ['forbidden', 'precondition_failed', 'unprocessable'],
} as const

const NeededKey = z.object({ 'idempotency-key': text(255) })

const ownProduct = {
  method: 'post',
  auth: true,
  params: IdParams,
  status: 200,
  etag: 'version',
  response: ProductWithMedia,
} as const

export const productRoutes = {
  listProducts: {
    method: 'get',
    path: '/products',
    summary: 'Products, newest first, of a category, a seller or with some words',
    query: ProductListQuery,
    status: 200,
    response: listOf(ProductWithMedia),
  },
  listOwnProducts: {
    method: 'get',
    path: '/products/own',
    summary: "The caller's products, newest first, withdrawn ones included",
    auth: true,
    query: OwnProductListQuery,
    status: 200,
    response: listOf(ProductWithMedia),
  },
  getProduct: {
    method: 'get',
    path: '/products/:id',
    summary: 'One product',
    params: IdParams,
    status: 200,
    etag: 'version',
    response: ProductWithMedia,
  },
  createProduct: {
    method: 'post',
    path: '/products',
    summary:
      'Create a product of the caller; a repeat with the same Idempotency-Key creates nothing',
    auth: true,
    role: 'seller',
    headers: CreationHeaders,
    body: CreateProduct,
    status: 201,
    location: '/products/:id',
    etag: 'version',
    response: ProductWithMedia,
    errors: ['forbidden', 'unprocessable'],
  },
  updateProduct: {
    ...changeProduct,
    method: 'put',
    summary: 'Change fields of a product of the caller',
  },
  patchProduct: {
    ...changeProduct,
    method: 'patch',
    summary: 'Change fields of a product of the caller',
  },
  restockProduct: {
    ...ownProduct,
    role: 'seller',
    path: '/products/:id/restock',
    summary: 'Add stock; a repeat with the same Idempotency-Key adds nothing',
    headers: NeededKey,
    body: Restock,
    errors: ['forbidden', 'unprocessable'],
  },
  adjustStock: {
    ...ownProduct,
    role: 'seller',
    path: '/products/:id/adjustments',
    summary:
      'Take free stock out, with a reason; a repeat with the same Idempotency-Key takes nothing',
    headers: NeededKey,
    body: AdjustStock,
    errors: ['forbidden', 'unprocessable'],
  },
  listAdjustments: {
    method: 'get',
    path: '/products/:id/adjustments',
    summary: 'What was taken out of the stock of a product of the caller, newest first',
    auth: true,
    params: IdParams,
    query: ListQuery,
    status: 200,
    response: listOf(StockAdjustment),
    errors: ['forbidden'],
  },
  withdrawProduct: {
    ...ownProduct,
    path: '/products/:id/withdraw',
    summary: 'Sell it no more; purchases that hold some of it go on. A repeat changes nothing',
    errors: ['forbidden'],
  },
  offerProduct: {
    ...ownProduct,
    role: 'seller',
    path: '/products/:id/offer',
    summary: 'Sell a withdrawn product again; a repeat changes nothing',
    errors: ['forbidden'],
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
    summary:
      'Create a category, where that is not left to admins; a repeat with the same Idempotency-Key creates nothing',
    auth: true,
    headers: CreationHeaders,
    body: CreateCategory,
    status: 201,
    location: '/categories/:id',
    response: Category,
    errors: ['forbidden', 'unprocessable'],
  },
} as const satisfies Routes
