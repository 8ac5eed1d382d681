import { useLocation } from 'preact-iso'
import { api } from '../api/client.ts'
import { closeSession } from '../api/session.ts'
import { CodeField, EmailField, NewPasswordField } from '../parts/account-fields.tsx'
import { announce } from '../parts/announce.tsx'
import { Form } from '../parts/form.tsx'
import type { PageProps } from '../parts/page.ts'
import { Title } from '../parts/title.tsx'

export function ResetPage({ query }: PageProps) {
  const { route } = useLocation()
  return (
    <>
      <Title text="Set a new password" />
      <p>If a code can be sent to this address, it is on its way.</p>
      <Form
        label="Set the password"
        send={({ email = '', code = '', password = '' }) =>
          api.POST('/account/password/reset', { body: { email, code, password } })
        }
        onDone={() => {
          // Every session of the account has ended.
          closeSession()
          announce('The password is set. Sign in with it.')
          route('/login')
        }}
      >
        {(problem) => (
          <>
            <EmailField problem={problem} value={query.email} />
            <CodeField problem={problem} />
            <NewPasswordField label="New password" problem={problem} />
          </>
        )}
      </Form>
    </>
  )
}
