import { useLocation } from 'preact-iso'
import { signedIn } from '../api/session.ts'
import { basketCount } from './basket.ts'

function NavLink({ href, children }: { href: string; children: preact.ComponentChildren }) {
  const { path } = useLocation()
  return (
    <a href={href} aria-current={path === href ? 'page' : undefined}>
      {children}
    </a>
  )
}

export function Header() {
  const { query, route } = useLocation()
  const search = (event: SubmitEvent) => {
    event.preventDefault()
    const q = new FormData(event.currentTarget as HTMLFormElement).get('q')
    route(q ? `/?${new URLSearchParams({ q: String(q) })}` : '/')
  }
  const count = basketCount.value
  return (
    <header class="bar">
      <a class="brand" href="/">
        Shop
      </a>
      <search>
        <form onSubmit={search}>
          <label class="visually-hidden" for="q">
            Search products
          </label>
          <input
            id="q"
            name="q"
            type="search"
            maxLength={100}
            placeholder="Search products"
            defaultValue={query.q ?? ''}
          />
        </form>
      </search>
      <nav aria-label="Main">
        {signedIn.value === true && (
          <>
            <NavLink href="/purchases">Purchases</NavLink>
            <NavLink href="/sell">Sell</NavLink>
            <NavLink href="/profile">Profile</NavLink>
          </>
        )}
        {signedIn.value === false && <NavLink href="/login">Sign in</NavLink>}
        <NavLink href="/basket">
          Basket <span class="count">{count}</span>
          <span class="visually-hidden">{count === 1 ? 'item' : 'items'}</span>
        </NavLink>
      </nav>
    </header>
  )
}
