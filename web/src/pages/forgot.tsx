import { useLocation } from 'preact-iso'
import { api } from '../api/client.ts'
import { EmailField } from '../parts/account-fields.tsx'
import { announce } from '../parts/announce.tsx'
import { Form } from '../parts/form.tsx'
import { Title } from '../parts/title.tsx'

export function ForgotPage() {
  const { route } = useLocation()
  return (
    <>
      <Title text="Set a new password" />
      <p>A code for it is sent to your email address.</p>
      <Form
        label="Send the code"
        send={({ email = '' }) => api.POST('/account/password/forgot', { body: { email } })}
        onDone={({ email = '' }) => {
          announce('If a code can be sent to this address, it is on its way.')
          route(`/reset?${new URLSearchParams({ email })}`)
        }}
      >
        {(problem) => <EmailField problem={problem} />}
      </Form>
    </>
  )
}
