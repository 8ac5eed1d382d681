/** Where to go after signing in: a path of this shop, whatever the address says. */
export function pageAfter(next: string | undefined): string {
  return next && /^\/(?![/\\])/.test(next) ? next : '/'
}
