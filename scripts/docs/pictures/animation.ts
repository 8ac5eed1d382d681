import type { Page } from 'playwright-core'
import sharp from 'sharp'

/** Shorter than the movements of a page, and long enough that few frames are needed. */
const frameMs = 90
const longestMs = 1_200
/** How long the last frame is shown before the animation begins again. */
const restMs = 2_500
const maxFrames = 200

type Frame = { data: Buffer; at: number }

/** Films a page while `play` runs, as an animated WebP. */
export async function film(page: Page, play: () => Promise<void>): Promise<Buffer> {
  const frames: Frame[] = []
  const debuggee = await page.context().newCDPSession(page)
  debuggee.on('Page.screencastFrame', ({ data, sessionId, metadata }) => {
    const at = (metadata.timestamp ?? 0) * 1_000
    const isDue = at - (frames.at(-1)?.at ?? 0) >= frameMs
    if (isDue && frames.length < maxFrames) frames.push({ data: Buffer.from(data, 'base64'), at })
    void debuggee.send('Page.screencastFrameAck', { sessionId }).catch(() => undefined)
  })
  await debuggee.send('Page.startScreencast', { format: 'png' })
  await play()
  await debuggee.send('Page.stopScreencast')
  // A frame comes only when something has changed, so the end is taken by itself.
  frames.push({ data: await page.screenshot(), at: (frames.at(-1)?.at ?? 0) + frameMs })
  return assemble(frames)
}

async function assemble(frames: Frame[]): Promise<Buffer> {
  const delay = frames.map(({ at }, index) => {
    const next = frames[index + 1]
    return next ? Math.min(Math.round(next.at - at), longestMs) : restMs
  })
  const images = frames.map(({ data }) => data)
  return sharp(images, { join: { animated: true } })
    .webp({ delay, loop: 0, quality: 60, effort: 6, minSize: true, mixed: true })
    .toBuffer()
}
