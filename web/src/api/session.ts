import { signal } from '@preact/signals'
import type { components } from './schema.ts'

type BrowserSession = components['schemas']['BrowserSession']

/** In memory only: the refresh token, which outlives the page, is in a cookie that no script can read. */
export const accessToken = signal<string | null>(null)

/** Unknown until it is clear whether the browser has a session. */
export const signedIn = signal<boolean | 'unknown'>('unknown')

/** That there may be a session, so that a visitor without one causes no refused request. */
const hint = 'signed-in'
/** A token is exchanged before it expires: event streams end with it. */
const earlySeconds = 60
let renewal: ReturnType<typeof setTimeout> | undefined
let refreshing: Promise<string | null> | undefined

export function openSession({ access_token, expires_in }: BrowserSession): string {
  accessToken.value = access_token
  signedIn.value = true
  localStorage.setItem(hint, '1')
  clearTimeout(renewal)
  renewal = setTimeout(
    () => void refreshSession(),
    Math.max(expires_in - earlySeconds, expires_in / 2) * 1_000,
  )
  return access_token
}

export function closeSession(): void {
  clearTimeout(renewal)
  accessToken.value = null
  signedIn.value = false
  localStorage.removeItem(hint)
}

async function exchange(): Promise<string | null> {
  try {
    const response = await fetch('/api/v1/account/session/refresh', { method: 'POST' })
    if (response.ok) return openSession((await response.json()) as BrowserSession)
    if (response.status === 401) closeSession()
    return null
  } catch {
    // Without a connection the session is neither continued nor over.
    return null
  }
}

/** A new access token, or null when there is none to be had; one exchange at a time in this page. */
export function refreshSession(): Promise<string | null> {
  refreshing ??= exchange().finally(() => {
    refreshing = undefined
  })
  return refreshing
}

/** Continues the session of this browser, if it has one. */
export async function resumeSession(): Promise<void> {
  if (localStorage.getItem(hint) === null) {
    signedIn.value = false
    return
  }
  await refreshSession()
  if (signedIn.value === 'unknown') signedIn.value = accessToken.value !== null
}

// Another tab has signed in or out.
addEventListener('storage', ({ key, newValue }) => {
  if (key !== hint) return
  if (newValue === null) closeSession()
  else void refreshSession()
})
