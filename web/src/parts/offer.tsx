import { api } from '../api/client.ts'
import { Form } from './form.tsx'
import type { Section } from './section.ts'

/** Takes a product out of the shop, or puts it back. */
export function Offer({ product, onDone }: Section) {
  const params = { path: { id: product.id } }
  if (product.withdrawn) {
    return (
      <Form
        label="Sell it again"
        send={() => api.POST('/products/{id}/offer', { params })}
        onDone={() => onDone('It is sold again.')}
      >
        {() => <p>Nobody can buy it at the moment.</p>}
      </Form>
    )
  }
  return (
    <Form
      label="Sell it no more"
      send={() => api.POST('/products/{id}/withdraw', { params })}
      onDone={() => onDone('It is withdrawn.')}
    >
      {() => <p>It leaves the shop. Orders that have it keep it, and you can sell it again.</p>}
    </Form>
  )
}
