import type { Schemas } from '../api/client.ts'

/** The first image of a product, or in its place a field of the same size with the first character of its name. */
export function Picture({
  product: { name, media },
  large,
}: {
  product: Pick<Schemas['ProductWithMedia'], 'name' | 'media'>
  large?: boolean
}) {
  const image = media.find(({ kind }) => kind === 'image')
  if (!image) {
    return (
      <span class="picture empty" aria-hidden="true">
        {Array.from(name)[0]}
      </span>
    )
  }
  return (
    <img
      class="picture"
      src={large ? image.url : (image.thumbnail_url ?? image.url)}
      alt={image.alt}
      width={image.width ?? undefined}
      height={image.height ?? undefined}
      loading={large ? 'eager' : 'lazy'}
    />
  )
}
