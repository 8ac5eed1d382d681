import { useState } from 'preact/hooks'
import { announce } from '../parts/announce.tsx'
import { Field, fieldProblem } from '../parts/fields.tsx'
import { Form } from '../parts/form.tsx'
import { Title } from '../parts/title.tsx'
import { operate, type Schemas } from './client.ts'
import { timeText } from './live.ts'

type AccountRoles = Schemas['AccountRoles']

const meanings: Record<AccountRoles['roles'][number], string> = {
  buyer: 'Buyer: buys',
  seller: 'Seller: sells products',
  admin: 'Admin: makes categories',
}
const roles = Object.keys(meanings) as (keyof typeof meanings)[]

/** What an account may do, and which operator said so. */
function Roles({ of, onChange }: { of: AccountRoles; onChange: (of: AccountRoles) => void }) {
  return (
    <section aria-labelledby="account">
      <h2 id="account">{of.email}</h2>
      <Form
        label="Replace the roles"
        send={async ({ note = '' }, form) => {
          const body = { roles: form.getAll('roles'), note }
          const answer = await operate<AccountRoles>('PUT', `/roles/${of.account_id}`, { body })
          if (answer.data) onChange(answer.data)
          return answer
        }}
        onDone={() => announce('The roles are replaced')}
      >
        {(problem) => (
          <>
            <fieldset>
              <legend>Roles</legend>
              {roles.map((role) => (
                <label key={role} class="choice">
                  <input
                    type="checkbox"
                    name="roles"
                    value={role}
                    defaultChecked={of.roles.includes(role)}
                  />
                  <span>{meanings[role]}</span>
                </label>
              ))}
            </fieldset>
            <Field
              label="Note"
              hint="Why; products of an account that sells no more are withdrawn"
              name="note"
              required
              minLength={3}
              maxLength={1_000}
              problem={fieldProblem(problem as never, 'note')}
            />
          </>
        )}
      </Form>
      <h3>Changes</h3>
      {of.changes.length === 0 && <p>No operator has changed them.</p>}
      <ul>
        {of.changes.map((change) => (
          <li key={change.at}>
            {timeText(change.at)} {change.operator}: {change.roles.join(', ')} ({change.note})
          </li>
        ))}
      </ul>
    </section>
  )
}

export function RolesPage() {
  const [found, setFound] = useState<AccountRoles>()
  return (
    <>
      <Title text="Roles" />
      <Form
        label="Find"
        send={async ({ email = '' }) => {
          setFound(undefined)
          const path = `/roles?${new URLSearchParams({ email })}`
          const answer = await operate<AccountRoles>('GET', path)
          setFound(answer.data)
          return answer
        }}
        onDone={() => undefined}
      >
        {(problem) => (
          <Field
            label="E-mail address of the account"
            name="email"
            required
            problem={fieldProblem(problem as never, 'email')}
          />
        )}
      </Form>
      {found && (
        <Roles key={`${found.account_id} ${found.changes[0]?.at}`} of={found} onChange={setFound} />
      )}
    </>
  )
}
