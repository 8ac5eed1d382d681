import type { Request } from 'express'
import type { Caller } from '../auth.ts'
import { networkOf } from './network.ts'

/**
 * Whose share a request counts for: its customer or operator once a token has been verified, else its address as
 * Traefik saw it. An IPv6 subscriber has a whole /64, so that is one client.
 */
export function clientOf({
  caller,
  operator,
  ip = '',
}: Pick<Request, 'operator' | 'ip'> & { caller?: Caller | undefined }): string {
  if (caller) return `account ${caller.accountId}`
  if (operator !== undefined) return `operator ${operator}`
  return `address ${networkOf(ip)}`
}
