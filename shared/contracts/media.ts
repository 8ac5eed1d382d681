import { z } from 'zod'
import type { Routes } from '../route.ts'
import { ListQuery, listOf } from './list.ts'
import { text } from './text.ts'

export const mediaKinds = ['image', 'video'] as const
export type MediaKind = (typeof mediaKinds)[number]

/** The fields of an upload's form. They come before its files, so that nobody uploads to what is not theirs. */
export const UploadFields = z.strictObject({ product_id: z.uuid(), alt: text(500) })
export type UploadFields = z.infer<typeof UploadFields>

export const Media = z.object({
  id: z.uuid(),
  product_id: z.uuid(),
  kind: z.enum(mediaKinds),
  content_type: z.string(),
  size_bytes: z.int(),
  checksum: z.string().meta({ description: 'SHA-256 of the file, in hex' }),
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

export const MediaListQuery = ListQuery.extend({ product_id: z.uuid() })
export type MediaListQuery = z.infer<typeof MediaListQuery>

export const mediaRoutes = {
  uploadMedia: {
    method: 'post',
    path: '/media/upload',
    summary:
      "Add images (png, jpg) and videos (mp4) to a product of the caller's: all files or none",
    auth: true,
    multipart: { fields: UploadFields, files: 'data' },
    status: 201,
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
} as const satisfies Routes
