import { useState } from 'preact/hooks'
import { useLocation } from 'preact-iso'
import { api, type QueryOf } from '../api/client.ts'
import { closeSession } from '../api/session.ts'
import { announce } from './announce.tsx'
import { Field, fieldProblem } from './fields.tsx'
import { Form } from './form.tsx'

type Page = { items: unknown[]; next_cursor: string | null }

const largestPage = 100
/** Of each list. A browser holds that many records, and who has more reads the API. */
const mostPages = 100

/** What a link of the copy leads to, page by page; `complete` says whether that is all of it. */
async function follow(link: string): Promise<{ items: unknown[]; complete: boolean }> {
  const path = link.replace(/^\/api\/v\d+/, '') as '/purchases'
  const items: unknown[] = []
  let cursor: string | null = null
  for (let page = 0; page < mostPages; page++) {
    const query: QueryOf<'/purchases'> = {
      limit: largestPage,
      ...(cursor !== null && { cursor }),
    }
    const { data }: { data?: Page } = await api.GET(path, { params: { query } })
    if (!data) throw new Error(`no answer from ${path}`)
    items.push(...data.items)
    cursor = data.next_cursor
    if (cursor === null) return { items, complete: true }
  }
  return { items, complete: false }
}

/** A sale says where its buyer lives, which is not the seller's own data. */
function withoutDelivery(sale: unknown): unknown {
  const { delivery: _, ...others } = sale as { delivery: unknown }
  return others
}

/** All that the shop stores of the person, from the services that store it. */
async function readCopy(): Promise<object> {
  const { data } = await api.GET('/account/export')
  if (!data) throw new Error('no answer from account')
  const { links, ...copy } = data
  const lists: Record<string, Awaited<ReturnType<typeof follow>>> = {}
  // One after the other: the copy is in no hurry, and other customers wait for the same services.
  for (const [name, link] of Object.entries(links)) lists[name] = await follow(link)
  const { sales } = lists
  if (sales) sales.items = sales.items.map(withoutDelivery)
  return { ...copy, ...lists }
}

function save(copy: object): void {
  const file = new Blob([JSON.stringify(copy, undefined, 2)], { type: 'application/json' })
  const link = document.createElement('a')
  link.href = URL.createObjectURL(file)
  link.download = 'account.json'
  link.click()
  URL.revokeObjectURL(link.href)
}

function Copy() {
  const [state, setState] = useState<'idle' | 'busy' | 'failed' | 'done'>('idle')
  async function download(): Promise<void> {
    if (state === 'busy') return
    setState('busy')
    try {
      save(await readCopy())
      setState('done')
    } catch {
      setState('failed')
    }
  }
  return (
    <>
      <h2>Your data</h2>
      <p>
        A file with your account and its sessions, and your purchases with their addresses, orders,
        payments, products and sales, without the addresses of your buyers.
      </p>
      <p>
        <button type="button" class="quiet" aria-disabled={state === 'busy'} onClick={download}>
          {state === 'busy' ? 'One moment …' : 'Download a copy'}
        </button>
      </p>
      <p role="status">
        {state === 'done' && 'The copy is saved.'}
        {state === 'failed' && 'The copy could not be made. Try again.'}
      </p>
    </>
  )
}

/** The person's own data: a copy, and the end of the account. */
export function OwnData({ email }: { email: string }) {
  const { route } = useLocation()
  return (
    <>
      <Copy />
      <h2>Delete the account</h2>
      <p>
        Your name, address and phone number are removed when your open purchases have ended. Orders
        and payments stay, without you.
      </p>
      <Form
        label="Delete the account"
        send={({ password = '' }) => api.POST('/account/delete', { body: { email, password } })}
        onDone={() => {
          closeSession()
          announce('The account is being deleted.')
          route('/')
        }}
      >
        {(problem) => (
          <Field
            label="Password"
            name="password"
            type="password"
            autoComplete="current-password"
            required
            problem={fieldProblem(problem, 'password')}
          />
        )}
      </Form>
    </>
  )
}
