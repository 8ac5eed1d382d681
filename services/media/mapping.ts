import type { Media, MediaKind } from '../../shared/contracts/media.ts'
import type { StoredMedia } from './repository.ts'
import { thumbnailKey } from './storage.ts'

/** A row as clients see it; `publicUrl` is where the CDN is, without a slash at its end. */
export function toMedia(stored: StoredMedia, publicUrl: string): Media {
  const { id, kind } = stored
  return {
    id,
    product_id: stored.productId,
    kind: kind as MediaKind,
    content_type: stored.contentType,
    size_bytes: Number(stored.sizeBytes),
    checksum: stored.checksum,
    width: stored.width,
    height: stored.height,
    alt: stored.alt,
    url: `${publicUrl}/${stored.objectKey}`,
    thumbnail_url: kind === 'image' ? `${publicUrl}/${thumbnailKey(id)}` : null,
    created_at: stored.createdAt.toISOString(),
  }
}
