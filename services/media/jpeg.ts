import { orientationTiff } from './exif.ts'

const marker = { soi: 0xd8, eoi: 0xd9, sos: 0xda, app0: 0xe0, app1: 0xe1, app15: 0xef, com: 0xfe }
const jfifBytes = 16
/** What applications write that changes how the picture is shown, by marker. All else they write goes. */
const kept: Record<number, (payload: Buffer) => boolean> = {
  // Longer ones carry a thumbnail.
  [marker.app0]: (payload) => startsWith(payload, 'JFIF\0') && payload.length === jfifBytes - 2,
  226: (payload) => startsWith(payload, 'ICC_PROFILE\0'),
  // How the colours are coded.
  238: (payload) => startsWith(payload, 'Adobe'),
}

/**
 * The picture of a JPEG alone, its coded data untouched: without what cameras and editors wrote (place, serial numbers,
 * previews, comments) and without what follows its end. Its colour profile stays, and its orientation (1 to 8).
 * Undefined when it has no end.
 */
export function stripJpeg(file: Buffer, orientation: number): Buffer | undefined {
  const parts = [file.subarray(0, 2)]
  let oriented = orientation === 1
  for (let at = 2; at < file.length; ) {
    const segment = segmentAt(file, at)
    if (!segment) return undefined
    const { type, end } = segment
    if (!oriented && type !== marker.app0) {
      parts.push(orientationSegment(orientation))
      oriented = true
    }
    if (isKept(type, file.subarray(segment.payload, end))) {
      parts.push(file.subarray(segment.start, end))
    }
    if (type === marker.eoi) return Buffer.concat(parts)
    at = end
    if (type !== marker.sos) continue
    const dataEnd = endOfScan(file, at)
    parts.push(file.subarray(at, dataEnd))
    at = dataEnd
  }
  return undefined
}

type Segment = { type: number; start: number; payload: number; end: number }

/** The segment at a place; a marker may follow any number of fill bytes. */
function segmentAt(file: Buffer, at: number): Segment | undefined {
  if (file[at] !== 0xff) return undefined
  let start = at
  while (file[start + 1] === 0xff) start += 1
  const type = file[start + 1]
  if (type === undefined || type < 0xc0) return undefined
  const payload = start + 4
  if (type === marker.eoi || isRestart(type)) return { type, start, payload, end: start + 2 }
  if (payload > file.length) return undefined
  const end = start + 2 + file.readUInt16BE(start + 2)
  return end < payload || end > file.length ? undefined : { type, start, payload, end }
}

function isKept(type: number, payload: Buffer): boolean {
  if (type === marker.com) return false
  if (type < marker.app0 || type > marker.app15) return true
  return kept[type]?.(payload) ?? false
}

function isRestart(type: number): boolean {
  return type >= 0xd0 && type <= 0xd7
}

/** Where the coded data of a scan ends: in it 0xff stands before a zero or a restart marker only. */
function endOfScan(file: Buffer, from: number): number {
  for (let at = file.indexOf(0xff, from); at !== -1; at = file.indexOf(0xff, at + 1)) {
    const next = file[at + 1]
    if (next !== undefined && next !== 0 && next !== 0xff && !isRestart(next)) return at
  }
  return file.length
}

function orientationSegment(orientation: number): Buffer {
  const payload = Buffer.concat([Buffer.from('Exif\0\0', 'latin1'), orientationTiff(orientation)])
  const head = Buffer.from([0xff, marker.app1, 0, payload.length + 2])
  return Buffer.concat([head, payload])
}

function startsWith(payload: Buffer, text: string): boolean {
  return payload.toString('latin1', 0, text.length) === text
}
