/** One tag: 8 bytes of header, 2 of count, 12 of the entry, 4 that say "no next directory". */
const tiffBytes = 26
const orientationTag = 0x0112
const shortType = 3

/** A TIFF structure, as Exif has it, which holds the orientation (1 to 8) and nothing else. */
export function orientationTiff(orientation: number): Buffer {
  const tiff = Buffer.alloc(tiffBytes)
  tiff.write('MM\0*', 'latin1')
  tiff.writeUInt32BE(8, 4)
  tiff.writeUInt16BE(1, 8)
  tiff.writeUInt16BE(orientationTag, 10)
  tiff.writeUInt16BE(shortType, 12)
  tiff.writeUInt32BE(1, 14)
  tiff.writeUInt16BE(orientation, 18)
  return tiff
}
