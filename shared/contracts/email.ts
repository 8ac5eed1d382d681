import { domainToASCII } from 'node:url'
import { z } from 'zod'

/** Zod's own form, with a top-level domain that may be internationalised: `xn--` and what follows. */
const pattern =
  /^(?!\.)(?!.*\.\.)([A-Za-z0-9_'+\-.]*)[A-Za-z0-9_+-]@([A-Za-z0-9][A-Za-z0-9-]*\.)+([A-Za-z]{2,}|xn--[A-Za-z0-9-]{2,59})$/

/** An address as mail servers know it: its domain is in ASCII. */
export const asciiEmail = z.email({ pattern })

/**
 * An address as people write it, in the one form in which it is stored: lower case, and an internationalised domain in
 * ASCII (Punycode, UTS 46), so that two spellings of one mailbox are one account. The part before the @ has to be
 * ASCII.
 */
export const Email = z
  .string()
  .trim()
  .toLowerCase()
  .overwrite(withAsciiDomain)
  .max(254)
  .pipe(asciiEmail)
  .meta({ format: 'email' })

/** A domain that is none stays as it is, and is refused after this. */
function withAsciiDomain(address: string): string {
  const at = address.lastIndexOf('@')
  const domain = address.slice(at + 1)
  return `${address.slice(0, at + 1)}${domainToASCII(domain) || domain}`
}
