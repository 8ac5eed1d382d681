import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { box, mp4File } from '../../test/helpers/media-files.ts'
import { type MediaFixture, startMedia } from '../../test/helpers/media-service.ts'

const page = Buffer.from('<html><script>alert(document.domain)</script></html>')

describe('an uploaded video', () => {
  let fixture: MediaFixture

  before(async () => {
    fixture = await startMedia()
  })

  after(() => fixture.close())

  it('is an mp4 of any brand, and is served as one, byte for byte', async () => {
    for (const brand of ['isom', 'mp42', 'avc1', 'M4V ', 'M4VH', 'dash', 'iso6']) {
      const content = mp4File(20_000, { brand })

      const { status, body } = await fixture.upload([{ name: 'a.m4v', content }])

      assert.equal(status, 201, brand)
      assert.equal(body.items[0]?.content_type, 'video/mp4')
      assert.ok(content.equals(await fixture.read(body.items[0])))
    }
  })

  it('loses the place where it was taken, and keeps its pictures and their positions', async () => {
    const content = await readFile(join(import.meta.dirname, '../../test/helpers/located-clip.mp4'))
    assert.ok(content.includes('+48.8584+002.2945/'))

    const { body } = await fixture.upload([{ name: 'a.mp4', content }])

    const [item] = body.items
    const stored = await fixture.read(item)
    const userData = content.indexOf('udta') - 4
    const userDataEnd = userData + content.readUInt32BE(userData)
    const expected = Buffer.from(content)
    expected.fill(0, userData + 8, userDataEnd)
    expected.write('free', userData + 4)
    assert.ok(!stored.includes('48.8584') && !stored.includes('loci'))
    assert.ok(stored.equals(expected))
    assert.equal(item?.size_bytes, content.length)
    assert.equal(item?.checksum, createHash('sha256').update(stored).digest('hex'))
  })

  it('is refused when it is no whole mp4 with a video track, and leaves nothing', async () => {
    const whole = mp4File()
    const type = whole.subarray(0, 24)
    const cases: [Buffer, RegExp][] = [
      [type, /no data/],
      [Buffer.concat([type, box('mdat', Buffer.alloc(100))]), /no video track/],
      [Buffer.concat([type, box('moov', Buffer.alloc(0))]), /no data/],
      [mp4File(4_096, { handler: 'soun' }), /no video track/],
      [Buffer.concat([type, page]), /ends in the middle|broken box/],
      [Buffer.concat([whole, page]), /ends in the middle|broken box/],
      [whole.subarray(0, -1), /ends in the middle/],
      [mp4File(6_000_000, { total: 6_000_001 }), /ends in the middle/],
    ]
    for (const [index, [content, rule]] of cases.entries()) {
      const { status, body } = await fixture.leavesNothing(() =>
        fixture.upload([{ name: 'a.mp4', content }]),
      )
      assert.equal(status, 422, String(index))
      assert.match(body.errors?.[0]?.rule ?? '', rule, String(index))
    }
  })
})
