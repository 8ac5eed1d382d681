import { useLocation } from 'preact-iso'
import { api } from '../api/client.ts'
import { openSession } from '../api/session.ts'
import { EmailField } from '../parts/account-fields.tsx'
import { announce } from '../parts/announce.tsx'
import { Field, fieldProblem } from '../parts/fields.tsx'
import { Form } from '../parts/form.tsx'
import type { PageProps } from '../parts/page.ts'
import { pageAfter } from '../parts/page-after.ts'
import { Title } from '../parts/title.tsx'

export function LoginPage({ query }: PageProps) {
  const { route } = useLocation()
  return (
    <>
      <Title text="Sign in" />
      <Form
        label="Sign in"
        send={async ({ email = '', password = '' }) => {
          const answer = await api.POST('/account/session/login', { body: { email, password } })
          if (answer.data) openSession(answer.data)
          return answer
        }}
        onDone={() => {
          announce('You are signed in.')
          route(pageAfter(query.next))
        }}
      >
        {(problem) => (
          <>
            <EmailField problem={problem} />
            <Field
              label="Password"
              name="password"
              type="password"
              autoComplete="current-password"
              required
              problem={fieldProblem(problem, 'password')}
            />
          </>
        )}
      </Form>
      <p>
        New here?{' '}
        <a href={`/register?next=${encodeURIComponent(pageAfter(query.next))}`}>Register</a> ·{' '}
        <a href="/forgot">I do not remember my password</a>
      </p>
    </>
  )
}
