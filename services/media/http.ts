import type { mediaRoutes } from '../../shared/contracts/media.ts'
import type { Handlers } from '../../shared/http/route.ts'
import type { MediaService } from './service.ts'

export function createHandlers(service: MediaService): Handlers<typeof mediaRoutes> {
  return {
    uploadMedia: ({ caller, client, form }) => service.upload(caller, client, form),
    deleteMedia: ({ caller, params }) => service.remove(caller.accountId, params.id),
    listMedia: ({ query }) => service.list(query),
  }
}
