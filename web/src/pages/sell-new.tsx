import { useLocation } from 'preact-iso'
import { api, type Problem } from '../api/client.ts'
import { announce } from '../parts/announce.tsx'
import { Failure } from '../parts/failure.tsx'
import { Area, Choice, Field, fieldProblem } from '../parts/fields.tsx'
import { Form } from '../parts/form.tsx'
import { useLoad } from '../parts/load.ts'
import { MayNotSell, useRole } from '../parts/role.tsx'
import { SignedIn } from '../parts/signed-in.tsx'
import { Title } from '../parts/title.tsx'

/**
 * A new category, with the name that was typed, or the one that was chosen. Nothing tells beforehand whether the shop
 * leaves categories to admins, so a refusal is shown at the field.
 */
async function categoryOf({ category = '', new_category = '' }: Record<string, string>) {
  if (new_category === '') return { id: category }
  const { data, error, response } = await api.POST('/categories', {
    body: { name: new_category, description: new_category },
  })
  if (data) return { id: data.id }
  const problem = error as Problem
  const rules =
    response.status === 403
      ? ['is left to the admins of this shop: choose a category that is there']
      : (problem.errors ?? []).filter(({ field }) => field === 'name').map(({ rule }) => rule)
  if (rules.length === 0) return { error: problem }
  return { error: { ...problem, errors: rules.map((rule) => ({ field: 'new_category', rule })) } }
}

function NewProduct() {
  const { route } = useLocation()
  const maySell = useRole('seller')
  const loaded = useLoad('categories', (signal) =>
    api.GET('/categories', { params: { query: { limit: 100 } }, signal }),
  )
  if (maySell === false) return <MayNotSell />
  if (loaded.state === 'loading' || maySell === undefined) {
    return <p class="waiting">One moment …</p>
  }
  if (loaded.state === 'failed') {
    return <Failure problem={loaded.problem} onRetry={loaded.reload} />
  }
  const categories = loaded.data.items
  return (
    <Form
      label="Sell it"
      send={async (fields) => {
        const { name = '', brand_name = '', description = '', price, inventory } = fields
        const category = await categoryOf(fields)
        if (category.id === undefined) return { error: category.error }
        const answer = await api.POST('/products', {
          body: {
            ...{ category_id: category.id, name, brand_name, description },
            ...{ price: Number(price), inventory: Number(inventory) },
          },
        })
        if (answer.data) route(`/sell/${answer.data.id}`)
        return answer
      }}
      onDone={() => announce('The product can be bought. Add pictures now.')}
    >
      {(problem) => (
        <>
          <Field
            label="Name"
            name="name"
            required
            maxLength={200}
            problem={fieldProblem(problem, 'name')}
          />
          <Field
            label="Brand"
            name="brand_name"
            required
            maxLength={100}
            problem={fieldProblem(problem, 'brand_name')}
          />
          <Area
            label="Description"
            name="description"
            maxLength={5_000}
            problem={fieldProblem(problem, 'description')}
          />
          {categories.length > 0 && (
            <Choice
              label="Category"
              name="category"
              options={categories.map(({ id, name }) => [id, name])}
              problem={fieldProblem(problem, 'category_id')}
            />
          )}
          <Field
            label={categories.length > 0 ? 'Or a new category' : 'Category'}
            name="new_category"
            maxLength={100}
            required={categories.length === 0}
            problem={fieldProblem(problem, 'new_category')}
          />
          <Field
            label="Price in minor units"
            hint="VND has none: 125 is 125 ₫"
            name="price"
            type="number"
            required
            min={1}
            problem={fieldProblem(problem, 'price')}
          />
          <Field
            label="How many are there"
            name="inventory"
            type="number"
            required
            min={0}
            max={2_147_483_647}
            problem={fieldProblem(problem, 'inventory')}
          />
        </>
      )}
    </Form>
  )
}

export function SellNewPage() {
  return (
    <SignedIn>
      <Title text="Sell something" />
      <NewProduct />
    </SignedIn>
  )
}
