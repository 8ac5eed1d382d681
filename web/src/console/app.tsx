import { useEffect, useState } from 'preact/hooks'
import { LocationProvider, Route, Router } from 'preact-iso'
import { Announcements } from '../parts/announce.tsx'
import { Title } from '../parts/title.tsx'
import { operate, type Schemas } from './client.ts'
import { DeadLettersPage } from './dead-letters.tsx'
import { Frame } from './frame.tsx'
import { LabPage } from './lab.tsx'
import { OverviewPage } from './overview.tsx'
import { ProviderEventsPage } from './provider-events.tsx'
import { RefundsPage } from './refunds.tsx'
import { RolesPage } from './roles.tsx'
import { SagaPage } from './saga.tsx'
import { SignIn } from './sign-in.tsx'

type OperatorSession = Schemas['OperatorSession']

const inside = /^\/(?!api\/)/

type Session = { state: 'unknown' } | { state: 'out' } | { state: 'in'; session: OperatorSession }

function NoSuchPage() {
  return (
    <>
      <Title text="There is no such page" />
      <p>
        <a href="/console">The overview</a>
      </p>
    </>
  )
}

export function ConsoleApp() {
  const [session, setSession] = useState<Session>({ state: 'unknown' })
  const out = () => setSession({ state: 'out' })
  useEffect(() => {
    operate<OperatorSession>('GET', '/console/session').then(
      ({ data }) => setSession(data ? { state: 'in', session: data } : { state: 'out' }),
      out,
    )
  }, [])
  if (session.state === 'unknown') return <p>One moment …</p>
  return (
    <LocationProvider scope={inside}>
      <a class="skip" href="#main">
        Skip to the content
      </a>
      {session.state === 'out' ? (
        <Frame onEnd={out}>
          <SignIn onDone={(begun) => setSession({ state: 'in', session: begun })} />
        </Frame>
      ) : (
        <Frame session={session.session} onEnd={out}>
          <Router>
            <Route path="/" component={OverviewPage} />
            <Route path="/console" component={OverviewPage} />
            <Route path="/console/sagas/:id" component={SagaPage} />
            <Route path="/console/refunds" component={RefundsPage} />
            <Route path="/console/provider-events" component={ProviderEventsPage} />
            <Route path="/console/dead-letters" component={DeadLettersPage} />
            <Route path="/console/roles" component={RolesPage} />
            <Route path="/lab" component={LabPage} />
            <Route default component={NoSuchPage} />
          </Router>
        </Frame>
      )}
      <Announcements />
    </LocationProvider>
  )
}
