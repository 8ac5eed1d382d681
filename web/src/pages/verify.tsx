import { useState } from 'preact/hooks'
import { useLocation } from 'preact-iso'
import { api } from '../api/client.ts'
import { CodeField, EmailField } from '../parts/account-fields.tsx'
import { announce } from '../parts/announce.tsx'
import { Form } from '../parts/form.tsx'
import type { PageProps } from '../parts/page.ts'
import { pageAfter } from '../parts/page-after.ts'
import { Title } from '../parts/title.tsx'

export function VerifyPage({ query }: PageProps) {
  const { route } = useLocation()
  const [sent, setSent] = useState('')
  const email = query.email ?? ''
  const next = pageAfter(query.next)
  const resend = async () => {
    const { data } = await api
      .POST('/account/verify/resend', { body: { email } })
      .catch(() => ({ data: undefined }))
    setSent(data?.message ?? 'The code could not be sent. Try again later.')
  }
  return (
    <>
      <Title text="Verify your email address" />
      <p>A code of 6 digits is on its way to {email || 'your address'}. You can buy without it.</p>
      <Form
        label="Verify"
        send={({ email: of = '', code = '' }) =>
          api.POST('/account/verify', { body: { email: of, code } })
        }
        onDone={() => {
          announce('Your address is verified.')
          route(next)
        }}
      >
        {(problem) => (
          <>
            <EmailField problem={problem} value={email} />
            <CodeField problem={problem} />
          </>
        )}
      </Form>
      <p role="status">{sent}</p>
      <p class="inline">
        {email && (
          <button type="button" class="quiet" onClick={resend}>
            Send another code
          </button>
        )}
        <a href={next}>Later</a>
      </p>
    </>
  )
}
