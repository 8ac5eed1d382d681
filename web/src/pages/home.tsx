import { api } from '../api/client.ts'
import { Failure } from '../parts/failure.tsx'
import { useLoad } from '../parts/load.ts'
import { money } from '../parts/money.ts'
import type { PageProps } from '../parts/page.ts'
import { Picture } from '../parts/picture.tsx'
import { Title } from '../parts/title.tsx'

const pageSize = 24

/** The address of the list with other choices. A list begins anew when its words or its category change. */
function listAddress(choices: { q?: string; category?: string; cursor?: string }): string {
  const set = Object.entries(choices).filter(([, value]) => value)
  return set.length > 0 ? `/?${new URLSearchParams(set)}` : '/'
}

function Categories({ q, category }: { q: string; category: string }) {
  const loaded = useLoad('categories', (signal) =>
    api.GET('/categories', { params: { query: { limit: 20 } }, signal }),
  )
  if (loaded.state !== 'ready' || loaded.data.items.length === 0) return null
  const link = (id: string, name: string) => (
    <a
      key={id}
      class="chip"
      href={listAddress({ q, category: id })}
      aria-current={category === id ? 'true' : undefined}
    >
      {name}
    </a>
  )
  return (
    <nav class="chips" aria-label="Categories">
      {link('', 'All')}
      {loaded.data.items.map(({ id, name }) => link(id, name))}
    </nav>
  )
}

export function Home({ query }: PageProps) {
  const { q = '', category = '', cursor } = query
  const loaded = useLoad(`${q}\n${category}\n${cursor}`, (signal) =>
    api.GET('/products', {
      params: {
        query: {
          limit: pageSize,
          ...(q && { q }),
          ...(category && { category_id: category }),
          ...(cursor && { cursor }),
        },
      },
      signal,
    }),
  )
  const isFront = !q && !category && !cursor
  return (
    <>
      <Title text={q ? `Products with “${q}”` : 'Products'} />
      {isFront && (
        <p class="lead">
          Buy something and watch it: each purchase is a saga of three services. It completes, or
          every step is undone. No card is charged here.
        </p>
      )}
      <Categories q={q} category={category} />
      {loaded.state === 'loading' && <p class="waiting">Loading products …</p>}
      {loaded.state === 'failed' && <Failure problem={loaded.problem} onRetry={loaded.reload} />}
      {loaded.state === 'ready' && loaded.data.items.length === 0 && (
        <p>
          {isFront ? 'Nothing is for sale yet. ' : 'Nothing found. '}
          {!isFront && (
            <>
              <a href="/">See all products</a> or{' '}
            </>
          )}
          <a href="/sell/new">Sell something</a>
        </p>
      )}
      {loaded.state === 'ready' && (
        <ul class="products">
          {loaded.data.items.map((product) => (
            <li key={product.id}>
              <a class="card" href={`/products/${product.id}`}>
                <Picture product={product} />
                <span class="name">{product.name}</span>
                <span class="muted">{product.brand_name}</span>
                <span class="price">{money(product.price, product.currency_code)}</span>
                {product.inventory === 0 && <span class="badge">Sold out</span>}
              </a>
            </li>
          ))}
        </ul>
      )}
      <nav class="pager" aria-label="Pages">
        {cursor && <a href={listAddress({ q, category })}>First page</a>}
        {loaded.state === 'ready' && loaded.data.next_cursor && (
          <a href={listAddress({ q, category, cursor: loaded.data.next_cursor })}>Next page</a>
        )}
      </nav>
    </>
  )
}
