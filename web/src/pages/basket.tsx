import { useState } from 'preact/hooks'
import { useLocation } from 'preact-iso'
import { api, type Problem, type Schemas } from '../api/client.ts'
import { signedIn } from '../api/session.ts'
import { announce } from '../parts/announce.tsx'
import { type BasketLine, basket, emptyBasket, setQuantity } from '../parts/basket.ts'
import { Failure } from '../parts/failure.tsx'
import { useLoad } from '../parts/load.ts'
import { money } from '../parts/money.ts'
import { type PaymentMethod, paymentMethods } from '../parts/payment-methods.ts'
import { keyFor, keyUsed } from '../parts/request-key.ts'
import { Title } from '../parts/title.tsx'

type Product = Schemas['ProductWithMedia']

/** The products of the lines, at the prices of today; without those that are no more. */
async function readProducts(lines: BasketLine[], signal: AbortSignal) {
  const answers = await Promise.all(
    lines.map(({ id }) => api.GET('/products/{id}', { params: { path: { id } }, signal })),
  )
  const failed = answers.find(({ response }) => !response.ok && response.status !== 404)
  if (failed) return { error: failed.error }
  return { data: answers.flatMap(({ data }) => data ?? []) }
}

function Lines({ products }: { products: Product[] }) {
  const known = new Map(products.map((product) => [product.id, product]))
  return (
    <ul class="records">
      {basket.value.map(({ id, quantity }) => {
        const product = known.get(id)
        const name = product?.name ?? 'A product that is not sold any more'
        return (
          <li key={id}>
            {product ? <a href={`/products/${id}`}>{name}</a> : <span>{name}</span>}
            {product && (
              <span class="price">{money(product.price * quantity, product.currency_code)}</span>
            )}
            <label>
              <span class="visually-hidden">Quantity of {name}</span>
              <input
                type="number"
                min={1}
                max={1_000_000}
                value={quantity}
                onChange={({ currentTarget }) =>
                  setQuantity(id, Math.max(1, Math.trunc(currentTarget.valueAsNumber) || 1))
                }
              />
            </label>
            <button
              type="button"
              class="quiet"
              onClick={() => {
                setQuantity(id, 0)
                announce(`${name} is removed.`)
              }}
            >
              Remove<span class="visually-hidden"> {name}</span>
            </button>
          </li>
        )
      })}
    </ul>
  )
}

/** Of these the basket learns the new prices and stock, so that the total is true again. */
const changed = ['urn:shop:problem:price-changed', 'urn:shop:problem:out-of-stock']

function Checkout({
  currency,
  amount,
  onChanged,
}: {
  currency: string
  amount: number
  onChanged: () => void
}) {
  const { route } = useLocation()
  const [method, setMethod] = useState<PaymentMethod>('sim_ok')
  const [busy, setBusy] = useState(false)
  const [failure, setFailure] = useState<{ problem: Problem | undefined }>()
  async function buy(event: Event) {
    event.preventDefault()
    if (busy) return
    setBusy(true)
    setFailure(undefined)
    const body = {
      order_items: basket.value.map(({ id, quantity }) => ({ product_id: id, quantity })),
      payment: { currency_code: currency, method },
      // What the button says is what is paid.
      expected_amount: amount,
    }
    const { data, error } = await api
      .POST('/purchases', { params: { header: { 'Idempotency-Key': keyFor(body) } }, body })
      .catch(() => ({ data: undefined, error: undefined }))
    setBusy(false)
    if (!data) {
      const problem = error as Problem | undefined
      setFailure({ problem })
      if (changed.includes(problem?.type ?? '')) onChanged()
      return
    }
    keyUsed()
    emptyBasket()
    route(`/purchases/${data.purchase_id}`)
  }
  return (
    <form class="stacked" onSubmit={buy}>
      <fieldset>
        <legend>Pay with</legend>
        {Object.entries(paymentMethods).map(([value, { name, what }]) => (
          <label key={value} class="choice">
            <input
              type="radio"
              name="method"
              value={value}
              checked={method === value}
              onChange={() => setMethod(value as PaymentMethod)}
            />
            <span>
              {name}
              <span class="muted"> {what}</span>
            </span>
          </label>
        ))}
      </fieldset>
      {failure && <Failure problem={failure.problem} />}
      <button type="submit" aria-disabled={busy}>
        {busy ? 'One moment …' : `Buy for ${money(amount, currency)}`}
      </button>
    </form>
  )
}

export function BasketPage() {
  const lines = basket.value
  const ids = lines.map(({ id }) => id).toSorted()
  const loaded = useLoad(ids.join(), (signal) => readProducts(basket.value, signal))
  if (lines.length === 0) {
    return (
      <>
        <Title text="Basket" />
        <p>
          The basket is empty. <a href="/">Look at the products</a>
        </p>
      </>
    )
  }
  const products = loaded.state === 'ready' ? loaded.data : []
  const prices = new Map(products.map(({ id, price }) => [id, price]))
  const amount = lines.reduce((sum, { id, quantity }) => sum + quantity * (prices.get(id) ?? 0), 0)
  const currency = products[0]?.currency_code
  const isComplete = lines.every(({ id }) => prices.has(id))
  return (
    <>
      <Title text="Basket" />
      {loaded.state === 'failed' && <Failure problem={loaded.problem} onRetry={loaded.reload} />}
      {loaded.state === 'loading' && products.length === 0 && (
        <p class="waiting">Loading the basket …</p>
      )}
      {loaded.state === 'ready' && (
        <>
          <Lines products={products} />
          {currency && <p class="price large">Total {money(amount, currency)}</p>}
          {!isComplete && <p class="note">Remove what is not sold any more, then buy the rest.</p>}
          {signedIn.value === false && (
            <p class="inline">
              <a class="button" href="/login?next=/basket">
                Sign in to buy
              </a>
              <span>
                New here? <a href="/register?next=/basket">Register</a>
              </span>
            </p>
          )}
          {signedIn.value === true && currency && isComplete && (
            <Checkout currency={currency} amount={amount} onChanged={loaded.reload} />
          )}
        </>
      )}
    </>
  )
}
