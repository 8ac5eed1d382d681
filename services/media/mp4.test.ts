import assert from 'node:assert/strict'
import { box, mp4File } from '../../test/helpers/media-files.ts'
import { createMp4Filter } from './mp4.ts'

class Refused extends Error {}

/** What is stored of a file that arrives in pieces of one size. Throws Refused. */
function filter(file: Buffer, pieceBytes = file.length): Buffer {
  const { write, end } = createMp4Filter((rule) => {
    throw new Refused(rule)
  })
  const passed: Buffer[] = []
  for (let at = 0; at < file.length; at += pieceBytes) {
    passed.push(write(file.subarray(at, at + pieceBytes)))
  }
  end()
  return Buffer.concat(passed)
}

/** The rule that a file breaks. */
function check(file: Buffer, pieceBytes?: number): string | undefined {
  try {
    filter(file, pieceBytes)
    return undefined
  } catch (error) {
    if (error instanceof Refused) return error.message
    throw error
  }
}

/** A box whose size is written in 64 bits, as data beyond 4 GB needs it. */
function largeBox(type: string, content: Buffer): Buffer {
  const header = Buffer.alloc(16)
  header.writeUInt32BE(1)
  header.write(type, 4)
  header.writeBigUInt64BE(BigInt(content.length + 16), 8)
  return Buffer.concat([header, content])
}

describe('the check of an mp4', () => {
  const handler = box('hdlr', Buffer.from('\0\0\0\0\0\0\0\0vide\0'))
  const type = box('ftyp', Buffer.from('isom\0\0\x02\0'))
  const moov = box('moov', box('trak', box('mdia', handler)))
  const data = box('mdat', Buffer.from('data'))

  it('finds the same in a file however it is cut into pieces', () => {
    const good = mp4File(200)
    const bad = [good.subarray(0, -1), mp4File(200, { handler: 'soun' })]
    for (let size = 1; size <= 200; size++) {
      assert.equal(check(good, size), undefined, String(size))
      for (const file of bad) assert.equal(check(file, size), check(file))
    }
  })

  it('takes boxes in any order, unknown ones, large sizes, and data to the end of the file', () => {
    const toTheEnd = Buffer.from(data)
    toTheEnd.writeUInt32BE(0)
    for (const boxes of [
      [type, data, moov],
      [type, box('free', Buffer.alloc(9)), moov, box('moof', Buffer.alloc(3)), data],
      [
        type,
        largeBox('moov', largeBox('trak', largeBox('mdia', largeBox('hdlr', handler.subarray(8))))),
      ],
      [type, moov, largeBox('mdat', Buffer.alloc(3))],
      [type, moov, toTheEnd],
      [
        type,
        box(
          'moov',
          box('trak', Buffer.concat([box('tkhd', Buffer.alloc(9)), box('mdia', handler)])),
        ),
        data,
      ],
    ]) {
      const file = Buffer.concat(
        boxes.includes(data) || boxes.length === 3 ? boxes : [...boxes, data],
      )
      assert.equal(check(file), undefined)
    }
  })

  it('knows a size that cannot be', () => {
    const sized = (whole: Buffer, size: number) => {
      const file = Buffer.from(whole)
      file.writeUInt32BE(size)
      return file
    }
    const huge = largeBox('mdat', Buffer.alloc(4))
    huge.writeBigUInt64BE(2n ** 64n - 1n, 8)
    for (const boxes of [
      [sized(type, 7), moov, data],
      [type, sized(moov, 0), data],
      [type, sized(moov, moov.length - 1), data],
      [type, box('moov', sized(box('trak', Buffer.alloc(4)), 99)), data],
      [type, moov, huge],
      [moov, type, data],
      [type, moov, data, Buffer.from('\0\0\0\x0c<a>\0text')],
    ]) {
      assert.match(check(Buffer.concat(boxes)) ?? '', /broken box|middle of a box/)
    }
  })
})

describe('what is stored of an mp4', () => {
  const place = '+48.8584+002.2945/'
  const located = (type: string) =>
    box(type, Buffer.from(`\0\0\0\x1e\xa9xyz\0\x12\x15\xc7${place}`, 'latin1'))
  const handler = box('hdlr', Buffer.from('\0\0\0\0\0\0\0\0vide\0'))
  const media = Buffer.concat([handler, located('udta'), box('minf', Buffer.from('samples'))])
  const track = Buffer.concat([
    box('tkhd', Buffer.alloc(9)),
    located('meta'),
    box('mdia', media),
    located('udta'),
  ])
  const description = Buffer.concat([
    box('mvhd', Buffer.alloc(9)),
    box('trak', track),
    located('udta'),
    located('meta'),
    largeBox('uuid', located('XMP_')),
  ])
  const file = Buffer.concat([
    box('ftyp', Buffer.from('isom\0\0\x02\0')),
    located('uuid'),
    located('free'),
    box('moov', description),
    located('skip'),
    box('mdat', Buffer.from('udta meta')),
  ])

  it('has no box that may say where it was taken, and moves no other', () => {
    const stored = filter(file)

    assert.equal(stored.length, file.length)
    assert.ok(!stored.includes('48.85') && !stored.includes('\xa9xyz', 0, 'latin1'))
    for (const type of ['ftyp', 'moov', 'mvhd', 'trak', 'tkhd', 'mdia', 'hdlr', 'minf', 'mdat']) {
      assert.equal(stored.indexOf(type), file.indexOf(type), type)
    }
    assert.ok(stored.includes('samples') && stored.includes('udta meta'))
    assert.equal(stored.toString('latin1').split('free').length - 1, 9)
    assert.ok(filter(stored).equals(stored))
  })

  it('is the same however the file is cut into pieces', () => {
    const whole = filter(file)
    for (let size = 1; size < file.length; size++) {
      assert.ok(filter(file, size).equals(whole), String(size))
    }
  })
})
