import { z } from 'zod'
import { IdParams, ListQuery, listOf } from './list.ts'
import type { Routes } from './route.ts'
import { text } from './text.ts'

const mediaKinds = ['image', 'video'] as const
export type MediaKind = (typeof mediaKinds)[number]

/** The fields of an upload's form. They come before the files, so that the owner is checked before a file is read. */
export const UploadFields = z.strictObject({ product_id: z.uuid().toLowerCase(), alt: text(500) })
export type UploadFields = z.infer<typeof UploadFields>

export const Media = z.object({
  id: z.uuid(),
  product_id: z.uuid(),
  kind: z.enum(mediaKinds),
  content_type: z.string(),
  size_bytes: z.int(),
  checksum: z.string().meta({ description: 'SHA-256 of the file as the CDN serves it, in hex' }),
  width: z.int().nullable().meta({
    description: 'Of an image as it is shown, its orientation applied; null for a video',
  }),
  height: z.int().nullable(),
  alt: z.string(),
  url: z.url().meta({
    description: 'On the CDN, which asks for no token. What is there never changes',
  }),
  thumbnail_url: z.url().nullable().meta({ description: 'Null for a video' }),
  created_at: z.iso.datetime(),
})
export type Media = z.infer<typeof Media>

/** How many of its media a product's answer carries; `GET /media` lists them all. */
export const maxProductMedia = 10

/** What a product's answer tells of each of its media. */
export const ProductMedia = Media.pick({
  id: true,
  kind: true,
  content_type: true,
  url: true,
  thumbnail_url: true,
  alt: true,
  width: true,
  height: true,
})
export type ProductMedia = z.infer<typeof ProductMedia>

export const MediaListQuery = ListQuery.extend({ product_id: z.uuid().toLowerCase() })
export type MediaListQuery = z.infer<typeof MediaListQuery>

export const mediaRoutes = {
  uploadMedia: {
    method: 'post',
    path: '/media/upload',
    summary:
      "Add images (png, jpg) and videos (mp4) to a product of the caller's: all files or none. Images lose their metadata",
    auth: true,
    role: 'seller',
    multipart: { fields: UploadFields, files: 'data' },
    status: 201,
    location: '/media?product_id=:items.0.product_id',
    response: z.object({ items: z.array(Media) }),
    errors: ['forbidden', 'unprocessable'],
  },
  listMedia: {
    method: 'get',
    path: '/media',
    summary: 'Media of a product, newest first',
    query: MediaListQuery,
    status: 200,
    response: listOf(Media),
  },
  deleteMedia: {
    method: 'delete',
    path: '/media/:id',
    summary:
      'Remove an image or video of the caller from its product and from the CDN; copies that others keep may stay',
    auth: true,
    params: IdParams,
    status: 204,
    response: z.void(),
    errors: ['forbidden'],
  },
} as const satisfies Routes
