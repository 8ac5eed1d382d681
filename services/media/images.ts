export type Image = { width: number; height: number; thumbnail: Buffer }

/** Both sides of the box that a thumbnail fits in, in pixels. */
const thumbnailSide = 320
export const thumbnailType = 'image/webp'

type Sharp = typeof import('sharp')['default']

let loading: Promise<Sharp> | undefined

/** Loaded with the first image: a process that has seen none does without the 20 MB. */
function loadSharp(): Promise<Sharp> {
  loading ??= import('sharp').then(({ default: sharp }) => {
    // Each image is read once and alone: neither a cache nor more threads for one image pay.
    sharp.cache(false)
    sharp.concurrency(1)
    return sharp
  })
  return loading
}

/**
 * Decodes an image, so that what is stored can be shown, and makes its thumbnail. Undefined when it is broken or has
 * more than `maxPixels`, which is known before a pixel of it is in memory.
 */
export async function readImage(content: Buffer, maxPixels: number): Promise<Image | undefined> {
  const sharp = await loadSharp()
  try {
    const image = sharp(content, { limitInputPixels: maxPixels })
    const { autoOrient } = await image.metadata()
    const thumbnail = await image
      .autoOrient()
      .resize(thumbnailSide, thumbnailSide, { fit: 'inside', withoutEnlargement: true })
      .webp()
      .toBuffer()
    return { ...autoOrient, thumbnail }
  } catch {
    return undefined
  }
}
