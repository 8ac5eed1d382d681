import { useState } from 'preact/hooks'
import { api } from '../api/client.ts'
import { announce } from '../parts/announce.tsx'
import { addToBasket } from '../parts/basket.ts'
import { Failure } from '../parts/failure.tsx'
import { useLoad } from '../parts/load.ts'
import { money } from '../parts/money.ts'
import type { PageProps } from '../parts/page.ts'
import { Picture } from '../parts/picture.tsx'
import { Title } from '../parts/title.tsx'

/** One product: its pictures, its price, how many there are, and how to put it into the basket. */
export function ProductPage({ params }: PageProps) {
  const id = params.id ?? ''
  const [quantity, setQuantity] = useState(1)
  const [added, setAdded] = useState('')
  const loaded = useLoad(id, (signal) =>
    api.GET('/products/{id}', { params: { path: { id } }, signal }),
  )
  if (loaded.state === 'loading') return <p class="waiting">Loading the product …</p>
  if (loaded.state === 'failed') {
    return (
      <>
        <Title text="Product" />
        <Failure problem={loaded.problem} onRetry={loaded.reload} />
      </>
    )
  }
  const product = loaded.data
  const add = (event: Event) => {
    event.preventDefault()
    const text = addToBasket(product.id, quantity)
      ? `${quantity} × ${product.name} is in the basket.`
      : 'The basket is full.'
    setAdded(text)
    announce(text)
  }
  return (
    <article class="product">
      <div class="pictures">
        <Picture product={product} large />
        {product.media.slice(1).map(({ id, kind, url, thumbnail_url, alt }) =>
          kind === 'image' ? (
            <img key={id} class="thumb" src={thumbnail_url ?? url} alt={alt} loading="lazy" />
          ) : (
            // biome-ignore lint/a11y/useMediaCaption: its seller gives a description and no captions
            <video key={id} class="thumb" src={url} controls preload="none" aria-label={alt} />
          ),
        )}
      </div>
      <div>
        <Title text={product.name} />
        <p class="muted">{product.brand_name}</p>
        <p class="price large">{money(product.price, product.currency_code)}</p>
        <p class="text">{product.description}</p>
        <p>{product.inventory === 0 ? 'Sold out' : `${product.inventory} in stock`}</p>
        <form class="inline" onSubmit={add}>
          <label>
            Quantity
            <input
              type="number"
              min={1}
              max={1_000_000}
              required
              value={quantity}
              onInput={({ currentTarget }) => setQuantity(currentTarget.valueAsNumber || 1)}
            />
          </label>
          <button type="submit" disabled={product.inventory === 0}>
            Add to basket
          </button>
        </form>
        {added && (
          <p class="note">
            {added} <a href="/basket">Go to the basket</a>
          </p>
        )}
      </div>
    </article>
  )
}
