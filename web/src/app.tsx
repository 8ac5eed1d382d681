import type { JSX } from 'preact'
import { useEffect } from 'preact/hooks'
import { ErrorBoundary, LocationProvider, Route, Router, useLocation } from 'preact-iso'
import { NotFound } from './pages/not-found.tsx'
import { Announcements } from './parts/announce.tsx'
import { Header } from './parts/header.tsx'
import type { Page } from './parts/page.ts'
import { routes } from './routes.ts'

/** The router gives a page its parameters and query beside what is set here. */
const PageRoute = Route as unknown as (
  props: { component: Page } & ({ path: string } | { default: true }),
) => JSX.Element

/** Links that lead out of the pages: the router leaves them to the browser. */
const inside = /^\/(?!api\/|docs(?:\/|$))/

function Pages() {
  const { path } = useLocation()
  // A screen reader goes on at the new page as a sighted reader does.
  useEffect(() => () => document.getElementById('main')?.focus({ preventScroll: true }), [path])
  return (
    <main id="main" tabIndex={-1}>
      <ErrorBoundary>
        <Router onRouteChange={() => scrollTo(0, 0)}>
          {Object.entries(routes).map(([route, component]) => (
            <PageRoute key={route} path={route} component={component} />
          ))}
          <PageRoute default component={NotFound} />
        </Router>
      </ErrorBoundary>
    </main>
  )
}

export function App() {
  return (
    <LocationProvider scope={inside}>
      <a class="skip" href="#main">
        Skip to the content
      </a>
      <Header />
      <Pages />
      <footer>
        <a href="/docs">API reference</a>
      </footer>
      <Announcements />
    </LocationProvider>
  )
}
