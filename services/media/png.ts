import { crc32 } from 'node:zlib'
import { orientationTiff } from './exif.ts'

const signatureBytes = 8
/** Length, type and checksum. */
const frameBytes = 12
/** What changes how a picture is shown, animations included. Texts, times, places and unknown chunks are removed. */
const kept = new Set([
  ...['IHDR', 'PLTE', 'IDAT', 'IEND', 'tRNS', 'bKGD', 'pHYs', 'acTL', 'fcTL', 'fdAT'],
  ...['cHRM', 'gAMA', 'iCCP', 'sBIT', 'sRGB', 'cICP', 'mDCV', 'cLLI'],
])

/**
 * The picture of a PNG alone, its pixels untouched: without texts and other metadata, and without what follows its end.
 * Its colour profile stays, and its orientation (1 to 8). Undefined when it has no end.
 */
export function stripPng(file: Buffer, orientation: number): Buffer | undefined {
  const parts = [file.subarray(0, signatureBytes)]
  let oriented = orientation === 1
  for (let at = signatureBytes; at + frameBytes <= file.length; ) {
    const end = at + frameBytes + file.readUInt32BE(at)
    if (end > file.length) return undefined
    const type = file.toString('latin1', at + 4, at + 8)
    if (!oriented && type === 'IDAT') {
      parts.push(chunk('eXIf', orientationTiff(orientation)))
      oriented = true
    }
    if (kept.has(type)) parts.push(file.subarray(at, end))
    if (type === 'IEND') return Buffer.concat(parts)
    at = end
  }
  return undefined
}

function chunk(type: string, payload: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), payload])
  const frame = Buffer.alloc(frameBytes - 4)
  frame.writeUInt32BE(payload.length, 0)
  frame.writeUInt32BE(crc32(body), 4)
  return Buffer.concat([frame.subarray(0, 4), body, frame.subarray(4)])
}
