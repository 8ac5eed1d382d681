import type { ComponentChildren } from 'preact'
import { useLocation } from 'preact-iso'
import { operate, type Schemas } from './client.ts'

type FrameProps = {
  session?: Schemas['OperatorSession']
  onEnd: () => void
  children: ComponentChildren
}

/** What every page of the console has around it. */
export function Frame({ session, onEnd, children }: FrameProps) {
  const { path } = useLocation()
  const link = (to: string, text: string) => (
    <a href={to} aria-current={path === to ? 'page' : undefined}>
      {text}
    </a>
  )
  async function signOut() {
    await operate('POST', '/console/session/end')
    onEnd()
  }
  return (
    <>
      <header class="bar">
        <span class="brand">Saga console</span>
        <nav aria-label="Console">
          {link('/console', 'Overview')}
          {link('/console/refunds', 'Refunds')}
          {link('/console/provider-events', 'Provider events')}
          {link('/console/dead-letters', 'Dead letters')}
          {link('/console/roles', 'Roles')}
          {link('/lab', 'Failure lab')}
          {session && (
            <a href={session.temporal_url} rel="noreferrer">
              Temporal
            </a>
          )}
        </nav>
        {session && (
          <button type="button" class="quiet" onClick={signOut}>
            Sign out ({session.operator})
          </button>
        )}
      </header>
      <main id="main" tabIndex={-1}>
        {children}
      </main>
    </>
  )
}
