import { parseCookie } from 'cookie'
import type { Request, Response } from 'express'
import { apiPrefix } from '../contracts/route.ts'
import { AppError } from '../runtime/errors.ts'

/** What a browser keeps of its session, unreadable for scripts. */
export type SessionCookies = {
  refreshToken: string
  refreshSeconds: number
  /** Opens the event streams of the session, and nothing else. */
  streamToken: string
  streamSeconds: number
}

const refresh = { name: 'shop_refresh', path: `${apiPrefix}/account/session` }
const stream = { name: 'shop_stream', path: `${apiPrefix}/purchases` }

/** Browsers take a cookie of such a name only with `Secure`, by https (RFC 6265bis). */
const securePrefix = '__Secure-'

function read(request: Request, name: string): string | undefined {
  const cookies = parseCookie(request.headers.cookie ?? '')
  return cookies[securePrefix + name] ?? cookies[name]
}

/** The refresh token that the browser sends along, if it has one. */
export function refreshTokenOf(request: Request): string | undefined {
  return read(request, refresh.name)
}

/** The token for event streams that the browser sends along, if it has one. */
export function streamTokenOf(request: Request): string | undefined {
  return read(request, stream.name)
}

/** Sets both cookies of a session, or with null removes them. */
export function setSessionCookies(
  response: Response,
  session: SessionCookies | null,
  secure: boolean,
): void {
  const set = (
    { name, path }: { name: string; path: string },
    value: string,
    maxAgeSeconds: number,
  ) =>
    response.cookie((secure ? securePrefix : '') + name, value, {
      path,
      secure,
      httpOnly: true,
      sameSite: 'strict',
      maxAge: maxAgeSeconds * 1_000,
    })
  set(refresh, session?.refreshToken ?? '', session?.refreshSeconds ?? 0)
  set(stream, session?.streamToken ?? '', session?.streamSeconds ?? 0)
}

/**
 * Throws AppError('forbidden') for a request that a browser sends for a page of another origin. Each browser sends at
 * least one of the two headers with a POST, and lets no page choose them; a client that sends neither has no cookies
 * of others.
 */
export function refuseOtherOrigins(request: Request): void {
  const site = request.headers['sec-fetch-site']
  const origin = request.headers.origin
  const isForeign =
    (site !== undefined && site !== 'same-origin') ||
    (origin !== undefined && hostOf(origin) !== request.headers.host)
  if (isForeign) throw new AppError('forbidden', 'only pages of this shop may send this')
}

function hostOf(origin: string): string | undefined {
  return URL.parse(origin)?.host
}
