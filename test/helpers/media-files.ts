import sharp from 'sharp'

/** Small real files, made when they are asked for. */
export function imageFile(format: 'png' | 'jpeg', width = 640, height = 480): Promise<Buffer> {
  return sharp({ create: { width, height, channels: 3, background: 'teal' } })
    .toFormat(format)
    .toBuffer()
}

/**
 * A small but whole mp4: its type, a video track, then data up to a size, in the file or (`total`) in what is to
 * follow.
 */
export function mp4File(bytes = 4_096, { total = bytes, brand = 'isom', handler = 'vide' } = {}) {
  const type = box('ftyp', Buffer.from(`${brand}\0\0\x02\0isommp42`, 'latin1'))
  const handlerBox = box('hdlr', Buffer.from(`\0\0\0\0\0\0\0\0${handler}\0`, 'latin1'))
  const head = Buffer.concat([type, box('moov', box('trak', box('mdia', handlerBox)))])
  const data = box('mdat', Buffer.alloc(bytes - head.length - 8))
  data.writeUInt32BE(total - head.length, 0)
  return Buffer.concat([head, data])
}

/** A box of an mp4. */
export function box(type: string, content: Buffer): Buffer {
  const header = Buffer.alloc(8)
  header.writeUInt32BE(content.length + 8, 0)
  header.write(type, 4, 'latin1')
  return Buffer.concat([header, content])
}
