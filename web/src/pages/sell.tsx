import { api } from '../api/client.ts'
import { ListFilter } from '../parts/list-filter.tsx'
import { money } from '../parts/money.ts'
import { Paged } from '../parts/paged.tsx'
import { MayNotSell, useRole } from '../parts/role.tsx'
import { SignedIn } from '../parts/signed-in.tsx'
import { Title } from '../parts/title.tsx'

const states = ['ON_SALE', 'WITHDRAWN'] as const

function OwnProducts({ maySell }: { maySell: boolean | undefined }) {
  return (
    <Paged
      name="products"
      ask={({ status, ...part }, signal) => {
        const withdrawn = status === 'WITHDRAWN' ? 'true' : 'false'
        const query = { ...part, ...(status && ({ withdrawn } as const)) }
        return api.GET('/products/own', { params: { query }, signal })
      }}
      empty={
        <p>
          You sell nothing yet.{' '}
          {maySell && 'Add a product: it is in the shop at once, and you can change it later.'}
        </p>
      }
    >
      {(items) => (
        <ul class="records">
          {items.map((product) => (
            <li key={product.id}>
              <a href={`/sell/${product.id}`}>{product.name}</a>
              <span class="price">{money(product.price, product.currency_code)}</span>
              <span>{product.inventory} in stock</span>
              {product.withdrawn && <span class="badge warn">Withdrawn</span>}
            </li>
          ))}
        </ul>
      )}
    </Paged>
  )
}

function Sell() {
  const maySell = useRole('seller')
  return (
    <>
      <Title text="My products">
        <p class="inline">
          {maySell && (
            <a class="button" href="/sell/new">
              Sell something
            </a>
          )}
          <a href="/sales">What was sold</a>
        </p>
      </Title>
      {maySell === false && <MayNotSell />}
      <ListFilter states={states} />
      <OwnProducts maySell={maySell} />
    </>
  )
}

export function SellPage() {
  return (
    <SignedIn>
      <Sell />
    </SignedIn>
  )
}
