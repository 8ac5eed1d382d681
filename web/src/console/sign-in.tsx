import { Field } from '../parts/fields.tsx'
import { Form } from '../parts/form.tsx'
import { Title } from '../parts/title.tsx'
import { operate, type Schemas } from './client.ts'

type OperatorSession = Schemas['OperatorSession']

export function SignIn({ onDone }: { onDone: (session: OperatorSession) => void }) {
  let begun: OperatorSession | undefined
  return (
    <>
      <Title text="Sign in as an operator" />
      <Form
        label="Sign in"
        send={async ({ token = '' }) => {
          const answer = await operate<OperatorSession>('POST', '/console/session', { token })
          begun = answer.data
          return answer
        }}
        onDone={() => begun && onDone(begun)}
      >
        {() => (
          <Field
            label="Operator token"
            name="token"
            type="password"
            autoComplete="current-password"
            required
            hint="In the native stack: operatorToken in .stack/secrets.json"
          />
        )}
      </Form>
    </>
  )
}
