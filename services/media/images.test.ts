import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import sharp from 'sharp'
import { imageFile } from '../../test/helpers/media-files.ts'
import { type MediaFixture, startMedia, testLimits } from '../../test/helpers/media-service.ts'

describe('an uploaded image', () => {
  let fixture: MediaFixture

  before(async () => {
    fixture = await startMedia()
  })

  after(() => fixture.close())

  it('believes the content and not the name', async () => {
    const image = await imageFile('jpeg')

    const named = await fixture.upload([{ name: 'movie.mp4', content: image, type: 'video/mp4' }])
    assert.equal(named.body.items[0]?.content_type, 'image/jpeg')

    const lies = [
      Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"/>'),
      Buffer.from('GIF89a'),
      Buffer.alloc(0),
    ]
    for (const content of lies) {
      const { status, body } = await fixture.leavesNothing(() =>
        fixture.upload([{ name: 'cat.png', content, type: 'image/png' }]),
      )
      assert.equal(status, 422)
      assert.match(body.detail ?? '', /cat\.png/)
      assert.equal(body.errors?.[0]?.field, 'data.0')
    }
  })

  it('is stored byte for byte when there is nothing to take out of it', async () => {
    const contents = [
      await imageFile('png'),
      await imageFile('jpeg'),
      await sharp(await imageFile('jpeg'))
        .jpeg({ progressive: true })
        .toBuffer(),
      await sharp(await imageFile('png'))
        .png({ progressive: true, palette: true })
        .toBuffer(),
    ]
    for (const content of contents) {
      const { body } = await fixture.upload([{ name: 'a', content }])

      assert.ok(content.equals(await fixture.read(body.items[0])))
    }
  })

  it('loses its place, comments and previews, and keeps its orientation, colours and pixels', async () => {
    for (const format of ['jpeg', 'png'] as const) {
      const content = await photo(format)
      assert.match(content.toString('latin1'), /GPSVersion|SecretPlace/)

      const { body } = await fixture.upload([{ name: 'a', content }])

      const [item] = body.items
      const stored = await fixture.read(item)
      const { exif, icc, orientation, comments, xmp } = await sharp(stored).metadata()
      const original = await sharp(content).metadata()
      assert.doesNotMatch(stored.toString('latin1'), /SecretPlace|SecretComment|<script>/)
      assert.equal(orientation, 6)
      assert.deepEqual(icc, original.icc)
      assert.deepEqual([xmp, comments], [undefined, undefined])
      assert.ok((exif?.length ?? 0) < 40)
      assert.deepEqual([item?.width, item?.height], [48, 64])
      assert.deepEqual(await sharp(stored).raw().toBuffer(), await sharp(content).raw().toBuffer())
      const [thumbnail] = [await fixture.read({ url: item?.thumbnail_url ?? '' })]
      assert.deepEqual((await sharp(thumbnail).metadata()).exif, undefined)
    }
  })

  it('ends where its picture ends: what is appended is not stored', async () => {
    for (const format of ['jpeg', 'png'] as const) {
      const picture = await imageFile(format)
      const page = Buffer.from('<html><script>alert(document.domain)</script></html>')
      const content = Buffer.concat([picture, page])

      const { body } = await fixture.upload([{ name: 'a', content }])

      const stored = await fixture.read(body.items[0])
      assert.ok(stored.equals(picture))
      assert.equal(body.items[0]?.size_bytes, picture.length)
      const checksum = createHash('sha256').update(picture).digest('hex')
      assert.equal(body.items[0]?.checksum, checksum)
    }
  })

  it('may be one that decoders warn of: cameras write a zero for the end of the spectrum', async () => {
    const content = Buffer.from(await imageFile('jpeg'))
    const scan = content.indexOf(Buffer.from([0xff, 0xda]))
    const lastButOne = scan + 2 + content.readUInt16BE(scan + 2) - 2
    assert.equal(content[lastButOne], 63)
    content[lastButOne] = 0

    const { status, body } = await fixture.upload([{ name: 'a.jpg', content }])

    assert.equal(status, 201)
    assert.ok(content.equals(await fixture.read(body.items[0])))
  })

  it('is refused when it is broken, and told from one that has too many pixels', async () => {
    const [png, jpeg] = [await imageFile('png'), await imageFile('jpeg')]
    const noData = Buffer.from(png)
    noData.fill(0, png.indexOf('IDAT') + 4, png.length - 12)
    const wrongLength = Buffer.from(png)
    wrongLength.writeUInt32BE(0x7fffffff, png.indexOf('IDAT') - 4)
    const brokenFiles = [
      png.subarray(0, -300),
      png.subarray(0, -12),
      png.subarray(0, 100),
      noData,
      wrongLength,
      jpeg.subarray(0, -2),
      jpeg.subarray(0, 300),
      Buffer.concat([jpeg.subarray(0, 2), jpeg.subarray(-2)]),
      Buffer.from([0xff, 0xd8, 0xff, 0xe1, 0xff, 0xff]),
    ]
    for (const [index, content] of brokenFiles.entries()) {
      const { status, body } = await fixture.leavesNothing(() =>
        fixture.upload([{ name: 'cut', content }]),
      )
      assert.equal(status, 422, String(index))
      assert.match(body.errors?.[0]?.rule ?? '', /^is broken: it cannot be read as image/)
    }

    const bomb = await imageFile('png', 4_000, 4_000)
    assert.ok(bomb.length < testLimits.imageBytes)
    const { status, body } = await fixture.leavesNothing(() =>
      fixture.upload([{ name: 'bomb.png', content: bomb }]),
    )
    assert.equal(status, 422)
    assert.equal(body.errors?.[0]?.rule, `has more than ${testLimits.imagePixels} pixels`)
  })

  it('is refused when it needs more memory than there is, and waits for what others use', async () => {
    const limits = { decodedBytes: 400_000, uploads: 9 }
    const api = await fixture.serve(fixture.createService({ limits }))
    const send = (content: Buffer) => fixture.upload([{ name: 'a', content }], undefined, api)
    const fits = await imageFile('png', 300, 400)

    const large = await send(await imageFile('png', 400, 400))
    const deep = await send(await sharp(fits).toColourspace('rgb16').png().toBuffer())
    const progressive = await send(await sharp(fits).jpeg({ progressive: true }).toBuffer())
    const together = await Promise.all(Array.from({ length: 6 }, () => send(fits)))

    for (const { status, body } of [large, deep, progressive]) {
      assert.equal(status, 422)
      assert.equal(body.errors?.[0]?.rule, 'needs more than 400000 bytes of memory')
    }
    assert.deepEqual(
      together.map(({ status }) => status),
      Array(6).fill(201),
    )
  })
})

/** As a phone takes it: lying on its side, with the place, a comment, and a page in a text that nobody shows. */
async function photo(format: 'jpeg' | 'png'): Promise<Buffer> {
  const picture = sharp({
    create: {
      width: 64,
      height: 48,
      channels: 3,
      background: 'teal',
      noise: { type: 'gaussian', mean: 128, sigma: 30 },
    },
  })
  const taken = await picture
    .withIccProfile('p3')
    .withExifMerge({
      IFD0: { ImageDescription: 'SecretComment <script>', Make: 'SecretPlace' },
      IFD3: { GPSVersionID: '2 3 0 0', GPSLatitude: '51/1 30/1 0/1', GPSLatitudeRef: 'N' },
    })
    .withMetadata({ orientation: 6 })
    .toFormat(format)
    .toBuffer()
  if (format === 'png') return insert(taken, 33, chunk('tEXt', 'Comment\0SecretComment <script>'))
  return insert(taken, 2, segment(0xfe, 'SecretComment <script>'), segment(0xed, 'SecretPlace'))
}

function insert(file: Buffer, at: number, ...parts: Buffer[]): Buffer {
  return Buffer.concat([file.subarray(0, at), ...parts, file.subarray(at)])
}

function segment(marker: number, text: string): Buffer {
  const content = Buffer.from(text, 'latin1')
  return Buffer.concat([Buffer.from([0xff, marker, 0, content.length + 2]), content])
}

function chunk(type: string, text: string): Buffer {
  const body = Buffer.from(type + text, 'latin1')
  const frame = Buffer.alloc(8)
  frame.writeUInt32BE(text.length)
  frame.writeUInt32BE(crc32(body), 4)
  return Buffer.concat([frame.subarray(0, 4), body, frame.subarray(4)])
}
