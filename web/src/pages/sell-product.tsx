import { useState } from 'preact/hooks'
import { api } from '../api/client.ts'
import { Failure } from '../parts/failure.tsx'
import { Area, Field, fieldProblem } from '../parts/fields.tsx'
import { Files } from '../parts/files.tsx'
import { Form } from '../parts/form.tsx'
import { useLoad } from '../parts/load.ts'
import { money } from '../parts/money.ts'
import { Offer } from '../parts/offer.tsx'
import type { PageProps } from '../parts/page.ts'
import type { Section } from '../parts/section.ts'
import { SignedIn } from '../parts/signed-in.tsx'
import { Adjustments, AdjustStock, Restock } from '../parts/stock.tsx'
import { Title } from '../parts/title.tsx'

function Change({ product, onDone }: Section) {
  return (
    <Form
      label="Save"
      send={({ name = '', description = '', price }) =>
        api.PATCH('/products/{id}', {
          params: { path: { id: product.id }, header: { 'If-Match': `"${product.version}"` } },
          body: { name, description, price: Number(price) },
        })
      }
      onDone={() => onDone('Saved.')}
    >
      {(problem) => (
        <>
          <Field
            label="Name"
            name="name"
            required
            maxLength={200}
            defaultValue={product.name}
            problem={fieldProblem(problem, 'name')}
          />
          <Area
            label="Description"
            name="description"
            maxLength={5_000}
            defaultValue={product.description}
            problem={fieldProblem(problem, 'description')}
          />
          <Field
            label="Price in minor units"
            name="price"
            type="number"
            required
            min={1}
            defaultValue={product.price}
            problem={fieldProblem(problem, 'price')}
          />
        </>
      )}
    </Form>
  )
}

function OwnProduct({ id }: { id: string }) {
  const [said, setSaid] = useState('')
  const loaded = useLoad(id, (signal) =>
    api.GET('/products/{id}', { params: { path: { id } }, signal }),
  )
  // By media itself: what a product tells of its files may be a second old.
  const files = useLoad(`files of ${id}`, (signal) =>
    api.GET('/media', { params: { query: { product_id: id, limit: 100 } }, signal }),
  )
  const adjustments = useLoad(`adjustments of ${id}`, (signal) =>
    api.GET('/products/{id}/adjustments', { params: { path: { id } }, signal }),
  )
  if (loaded.state === 'loading') return <p class="waiting">Loading the product …</p>
  if (loaded.state === 'failed') {
    return <Failure problem={loaded.problem} onRetry={loaded.reload} />
  }
  const product = loaded.data
  const onDone = (text: string) => {
    setSaid(text)
    loaded.reload()
    files.reload()
    adjustments.reload()
  }
  return (
    <>
      <p>
        <a href={`/products/${id}`}>{product.name}</a>,{' '}
        {money(product.price, product.currency_code)}, {product.inventory} in stock,{' '}
        {files.state === 'ready' ? files.data.items.length : '…'} files{' '}
        {product.withdrawn && <span class="badge warn">Withdrawn</span>}
      </p>
      <p role="status">{said}</p>
      <div class="columns" key={product.version}>
        <section aria-labelledby="restock">
          <h2 id="restock">Restock</h2>
          <Restock product={product} onDone={onDone} />
        </section>
        <section aria-labelledby="adjust">
          <h2 id="adjust">Take out of stock</h2>
          <AdjustStock product={product} onDone={onDone} />
          <Adjustments found={adjustments} />
        </section>
        <section aria-labelledby="pictures">
          <h2 id="pictures">Pictures</h2>
          <Files
            product={product}
            files={files.state === 'ready' ? files.data.items : []}
            onDone={onDone}
          />
        </section>
        <section aria-labelledby="change">
          <h2 id="change">Change</h2>
          <Change product={product} onDone={onDone} />
        </section>
        <section aria-labelledby="offer">
          <h2 id="offer">{product.withdrawn ? 'Sell again' : 'Withdraw'}</h2>
          <Offer product={product} onDone={onDone} />
        </section>
      </div>
    </>
  )
}

export function SellProductPage({ params }: PageProps) {
  return (
    <SignedIn>
      <Title text="My product" />
      <OwnProduct id={params.id ?? ''} />
    </SignedIn>
  )
}
