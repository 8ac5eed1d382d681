import type { DecodeBudget } from './decode-budget.ts'
import { bounded, createMeasure, type SniffedFile } from './files.ts'
import { stripJpeg } from './jpeg.ts'
import { stripPng } from './png.ts'
import { objectKey, type Storage, thumbnailKey } from './storage.ts'

/** Both sides of the box that a thumbnail fits in, in pixels. */
const thumbnailSide = 320
const thumbnailType = 'image/webp'
/** A file of a few MB can be made to take minutes. */
const decodeSeconds = 20
const sampleBytes: Record<string, number> = { ushort: 2, uchar: 1 }

type Sharp = typeof import('sharp')['default']
type Deps = {
  storage: Pick<Storage, 'put'>
  budget: DecodeBudget
  maxBytes: number
  maxPixels: number
}

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
 * Stores the picture of an image and its thumbnail. An image is small enough to be held: what is stored was decoded
 * before, so it can be shown. `owner` is whose share of the decoding it takes.
 */
export async function storeImage(id: string, owner: string, file: SniffedFile, deps: Deps) {
  const { storage, maxBytes } = deps
  const original = Buffer.concat(await Array.fromAsync(bounded(file, maxBytes)))
  const { content, width, height, thumbnail } = await readImage(original, owner, file, deps)
  await storage.put(objectKey('image', id), file.contentType, content)
  await storage.put(thumbnailKey(id), thumbnailType, thumbnail)
  const measure = createMeasure()
  measure.add(content)
  return { ...measure.result(), width, height }
}

/** Judges an image by its header first, which costs no memory, and decodes it when there is room. */
async function readImage(original: Buffer, owner: string, file: SniffedFile, deps: Deps) {
  const { budget, maxPixels } = deps
  const broken = () => file.refuse(`is broken: it cannot be read as ${file.contentType}`)
  const header = (await headerOf(original)) ?? broken()
  const { width, height } = header
  if (width * height > maxPixels) file.refuse(`has more than ${maxPixels} pixels`)
  if (header.decodedBytes > budget.bytes) {
    file.refuse(`needs more than ${budget.bytes} bytes of memory`)
  }
  const strip = file.contentType === 'image/png' ? stripPng : stripJpeg
  const content = strip(original, header.orientation) ?? broken()
  using _room = await budget.take(owner, header.decodedBytes)
  const thumbnail = (await thumbnailOf(content)) ?? broken()
  return { content, width, height, thumbnail }
}

/** Sizes are of the image as it is shown. Undefined when the header is broken. */
async function headerOf(content: Buffer) {
  const sharp = await loadSharp()
  const { format, depth, channels, isProgressive, orientation, autoOrient } =
    (await sharp(content, { limitInputPixels: false, failOn: 'error' })
      .metadata()
      .catch(() => undefined)) ?? {}
  const bytes = sampleBytes[depth ?? '']
  if (!autoOrient || channels === undefined || bytes === undefined) return undefined
  const { width, height } = autoOrient
  // A progressive JPEG is held as coefficients of 16 bits until its last scan.
  const held = format === 'jpeg' && isProgressive ? 2 : bytes
  return {
    width,
    height,
    orientation: orientation ?? 1,
    decodedBytes: width * height * channels * held,
  }
}

/**
 * Undefined when the image is broken. Decoders warn of much that every viewer shows, so a warning is no fault. Sharp
 * turns what it has resized, so an image that lies on its side needs no copy of its pixels.
 */
async function thumbnailOf(content: Buffer): Promise<Buffer | undefined> {
  const sharp = await loadSharp()
  return sharp(content, { limitInputPixels: false, failOn: 'error' })
    .timeout({ seconds: decodeSeconds })
    .autoOrient()
    .resize(thumbnailSide, thumbnailSide, { fit: 'inside', withoutEnlargement: true })
    .webp()
    .toBuffer()
    .catch(() => undefined)
}
