import { bounded, createMeasure, type SniffedFile } from './files.ts'
import { createMp4Filter } from './mp4.ts'
import { objectKey, type Storage } from './storage.ts'

/**
 * Stores a video as it arrives, without what a player does not need, such as the place where it was taken. It is never
 * decoded: only its structure is checked, and that at its end.
 */
export async function storeVideo(
  id: string,
  file: SniffedFile,
  { storage, maxBytes }: { storage: Pick<Storage, 'putStream'>; maxBytes: number },
) {
  const measure = createMeasure()
  async function* filtered(): AsyncGenerator<Buffer> {
    const filter = createMp4Filter(file.refuse)
    for await (const chunk of bounded(file, maxBytes)) {
      const passed = filter.write(chunk)
      measure.add(passed)
      yield passed
    }
    filter.end()
  }
  await storage.putStream(objectKey('video', id), file.contentType, filtered())
  return { ...measure.result(), width: null, height: null }
}
