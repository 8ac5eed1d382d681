import { useLocation } from 'preact-iso'

const pages = { '/purchases': 'Purchases', '/orders': 'Orders', '/payments': 'Payments' }

/** What a customer has of the three services. */
export function Tabs() {
  const { path } = useLocation()
  return (
    <nav class="tabs" aria-label="Records">
      {Object.entries(pages).map(([href, name]) => (
        <a key={href} href={href} aria-current={path === href ? 'page' : undefined}>
          {name}
        </a>
      ))}
    </nav>
  )
}
