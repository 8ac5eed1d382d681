import { useLocation } from 'preact-iso'
import { api } from '../api/client.ts'
import { openSession } from '../api/session.ts'
import { EmailField, NewPasswordField } from '../parts/account-fields.tsx'
import { announce } from '../parts/announce.tsx'
import { ProfileFields } from '../parts/fields.tsx'
import { Form } from '../parts/form.tsx'
import type { PageProps } from '../parts/page.ts'
import { pageAfter } from '../parts/page-after.ts'
import { Title } from '../parts/title.tsx'

export function RegisterPage({ query }: PageProps) {
  const { route } = useLocation()
  const next = pageAfter(query.next)
  return (
    <>
      <Title text="Register" />
      <Form
        label="Register"
        send={async ({ email = '', password = '', ...profile }) => {
          const answer = await api.POST('/account/session/register', {
            body: { email, password, ...(profile as ProfileForm) },
          })
          if (answer.data) openSession(answer.data)
          return answer
        }}
        onDone={({ email = '' }) => {
          announce('You are registered and signed in.')
          route(`/verify?${new URLSearchParams({ email, next })}`)
        }}
      >
        {(problem) => (
          <>
            <EmailField problem={problem} />
            <NewPasswordField label="Password" problem={problem} />
            <ProfileFields problem={problem} />
          </>
        )}
      </Form>
      <p>
        <a href={`/login?next=${encodeURIComponent(next)}`}>I have an account</a>
      </p>
    </>
  )
}

type ProfileForm = {
  first_name: string
  last_name: string
  address: string
  phone_number: string
}
