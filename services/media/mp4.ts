/**
 * What is kept of each box that is looked into: what a player needs. The path of the top is empty. Anything else may
 * say where the video was taken: phones write `udta` and `meta`, editors `uuid`, dashboard cameras `free`.
 */
const kept = new Map<string, ReadonlySet<string>>([
  ['', new Set(['ftyp', 'styp', 'moov', 'mdat', 'moof', 'mfra', 'sidx', 'ssix', 'prft', 'pssh'])],
  ['/moov', new Set(['mvhd', 'trak', 'mvex', 'iods', 'pssh'])],
  ['/moov/trak', new Set(['tkhd', 'tref', 'trgr', 'edts', 'mdia', 'load', 'clip', 'matt', 'tapt'])],
  ['/moov/trak/mdia', new Set(['mdhd', 'hdlr', 'elng', 'minf'])],
])
const handlerPath = '/moov/trak/mdia/hdlr'
/** Version and flags, a reserved word, then four characters for the type of the track. */
const handlerBytes = 12
const headerBytes = 8
const largeHeaderBytes = 16
const typePattern = /^[ -~\u00a9]{4}$/

type Container = { path: string; end: number }

/**
 * Walks through the boxes of an mp4 as it passes, in a few bytes of memory. `write` returns what is stored of a chunk:
 * boxes that a player does not need become empty ones (`free`) of their size, so that no offset in the file changes.
 * `write` and `end` call `refuse` with the rule that the file breaks. A valid one begins with `ftyp`, is nothing but
 * whole boxes, and has a description of a video track (`moov`) and data (`mdat`). Nothing is decoded.
 */
export function createMp4Filter(refuse: (rule: string) => never) {
  const open: Container[] = []
  let begun = false
  let hasData = false
  let hasVideo = false
  let head = Buffer.alloc(0)
  let wanted = headerBytes
  let skip = 0
  let blank = false
  let offset = 0

  const broken = () => refuse('is not a whole mp4: it has a broken box')
  const parentPath = () => open.at(-1)?.path ?? ''
  const pathOf = (type: string) => `${parentPath()}/${type}`

  /** A header that is complete. Sets how much of its box is passed over, and whether that is kept. */
  function begin(): void {
    const type = head.toString('latin1', 4, headerBytes)
    const path = pathOf(type)
    if (!typePattern.test(type) || (!begun && path !== '/ftyp')) broken()
    const size = sizeOf()
    const start = offset - head.length
    const end = size === 0 ? Number.POSITIVE_INFINITY : start + size
    if (end < offset || end > (open.at(-1)?.end ?? Number.POSITIVE_INFINITY)) broken()
    // Only data may go on to the end of the file.
    if (size === 0 && path !== '/mdat') broken()
    begun = true
    hasData ||= path === '/mdat'
    hasVideo ||= path === handlerPath && head.toString('latin1', head.length - 4) === 'vide'
    blank = !kept.get(parentPath())?.has(type)
    if (blank) head.write('free', 4, 'latin1')
    if (kept.has(path)) open.push({ path, end })
    else skip = end - offset
  }

  function sizeOf(): number {
    const size = head.readUInt32BE(0)
    return size === 1 ? Number(head.readBigUInt64BE(headerBytes)) : size
  }

  /** How many bytes of this box are read before it is judged. */
  function neededOf(): number {
    const type = head.toString('latin1', 4, headerBytes)
    const header = head.readUInt32BE(0) === 1 ? largeHeaderBytes : headerBytes
    return pathOf(type) === handlerPath ? header + handlerBytes : header
  }

  function closeEnded(): void {
    while (skip === 0 && open.at(-1)?.end === offset) open.pop()
  }

  return {
    write(chunk: Buffer): Buffer {
      const passed: Buffer[] = []
      let rest = chunk
      while (rest.length > 0) {
        const length = Math.min(rest.length, skip > 0 ? skip : wanted - head.length)
        const piece = rest.subarray(0, length)
        if (skip > 0) {
          skip -= length
          passed.push(blank ? Buffer.alloc(length) : piece)
        } else head = Buffer.concat([head, piece])
        offset += length
        rest = rest.subarray(length)
        if (skip === 0 && head.length === wanted) {
          wanted = Math.max(wanted, neededOf())
          if (head.length < wanted) continue
          begin()
          passed.push(head)
          head = Buffer.alloc(0)
          wanted = headerBytes
        }
        closeEnded()
      }
      return passed.length === 1 && passed[0] ? passed[0] : Buffer.concat(passed)
    },

    end(): void {
      const whole = head.length === 0 && open.length === 0
      if (!whole || (skip > 0 && skip !== Number.POSITIVE_INFINITY)) {
        refuse('is not a whole mp4: it ends in the middle of a box')
      }
      if (!hasData) refuse('is not a whole mp4: it has no data (mdat)')
      if (!hasVideo) refuse('has no video track')
    },
  }
}
