import type { ComponentChildren } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { useLocation } from 'preact-iso'
import { signedIn } from '../api/session.ts'

/** Shows its children to a customer, and sends a visitor to sign in first. */
export function SignedIn({ children }: { children: ComponentChildren }) {
  const { url, route } = useLocation()
  const known = signedIn.value
  // The page that was asked for, whatever the address is by the time that the other page is loaded.
  const [asked] = useState(url)
  useEffect(() => {
    if (known === false) route(`/login?next=${encodeURIComponent(asked)}`, true)
  }, [known, asked, route])
  if (known !== true) return <p class="waiting">One moment …</p>
  return <>{children}</>
}
