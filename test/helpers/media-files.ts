import sharp from 'sharp'

/** Small real files, made when they are asked for. */
export function imageFile(format: 'png' | 'jpeg', width = 640, height = 480): Promise<Buffer> {
  return sharp({ create: { width, height, channels: 3, background: 'teal' } })
    .toFormat(format)
    .toBuffer()
}

/** A file that begins as every mp4 does, filled up to a size. */
export function mp4File(bytes = 4_096): Buffer {
  const file = Buffer.alloc(bytes)
  file.writeUInt32BE(24, 0)
  file.write('ftypisom', 4)
  file.writeUInt32BE(512, 12)
  file.write('isommp42', 16)
  file.writeUInt32BE(bytes - 24, 24)
  file.write('mdat', 28)
  return file
}
