import type { mediaRoutes } from '../../shared/contracts/media.ts'
import type { Handlers } from '../../shared/route.ts'
import type { MediaService } from './service.ts'

export function createHandlers(service: MediaService): Handlers<typeof mediaRoutes> {
  return {
    uploadMedia: ({ caller, form }) => service.upload(caller, form),
    listMedia: ({ query }) => service.list(query),
  }
}
