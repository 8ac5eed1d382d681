import { useId } from 'preact/hooks'
import type { Problem } from '../api/client.ts'

type FieldProps = {
  label: string
  name: string
  hint?: string
  problem?: string | undefined
  type?: 'file' | 'text' | 'email' | 'password' | 'tel' | 'number'
  autoComplete?:
    | 'username'
    | 'current-password'
    | 'new-password'
    | 'one-time-code'
    | 'given-name'
    | 'family-name'
    | 'street-address'
    | 'tel'
  inputMode?: 'numeric'
  required?: boolean
  minLength?: number
  maxLength?: number
  min?: number
  max?: number
  defaultValue?: string | number
  accept?: string
  multiple?: boolean
}

/** A labelled input with its hint and what is wrong with it. */
export function Field({ label, name, hint, problem, ...input }: FieldProps) {
  const id = useId()
  const described = [hint && `${id}-hint`, problem && `${id}-problem`].filter(Boolean).join(' ')
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <input
        id={id}
        name={name}
        aria-invalid={problem ? true : undefined}
        aria-describedby={described || undefined}
        {...(input as { type: 'text' })}
      />
      {hint && (
        <p class="muted" id={`${id}-hint`}>
          {hint}
        </p>
      )}
      {problem && (
        <p class="problem" id={`${id}-problem`}>
          {problem}
        </p>
      )}
    </div>
  )
}

/** A labelled text of more than one line. */
export function Area({
  label,
  name,
  maxLength,
  defaultValue = '',
  problem,
}: {
  label: string
  name: string
  maxLength: number
  defaultValue?: string
  problem?: string | undefined
}) {
  const id = useId()
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <textarea
        id={id}
        name={name}
        rows={4}
        required
        maxLength={maxLength}
        defaultValue={defaultValue}
        aria-invalid={problem ? true : undefined}
        aria-describedby={problem && `${id}-problem`}
      />
      {problem && (
        <p class="problem" id={`${id}-problem`}>
          {problem}
        </p>
      )}
    </div>
  )
}

/** A labelled choice among values with names. */
export function Choice({
  label,
  name,
  options,
  problem,
}: {
  label: string
  name: string
  options: (readonly [value: string, name: string])[]
  problem?: string | undefined
}) {
  const id = useId()
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <select id={id} name={name} aria-describedby={problem && `${id}-problem`}>
        {options.map(([value, text]) => (
          <option key={value} value={value}>
            {text}
          </option>
        ))}
      </select>
      {problem && (
        <p class="problem" id={`${id}-problem`}>
          {problem}
        </p>
      )}
    </div>
  )
}

/** A labelled yes or no; sent as `on` when it is checked. */
export function Check({ label, name }: { label: string; name: string }) {
  return (
    <label class="choice">
      <input type="checkbox" name={name} />
      <span>{label}</span>
    </label>
  )
}

/** The fields of a person: who they are, and where purchases go. */
export function ProfileFields({
  problem,
  values,
}: {
  problem: Problem | undefined
  values?: { first_name: string; last_name: string; address: string; phone_number: string }
}) {
  return (
    <>
      <Field
        label="First name"
        name="first_name"
        autoComplete="given-name"
        required
        maxLength={100}
        defaultValue={values?.first_name ?? ''}
        problem={fieldProblem(problem, 'first_name')}
      />
      <Field
        label="Last name"
        name="last_name"
        autoComplete="family-name"
        required
        maxLength={100}
        defaultValue={values?.last_name ?? ''}
        problem={fieldProblem(problem, 'last_name')}
      />
      <Field
        label="Address"
        name="address"
        autoComplete="street-address"
        required
        maxLength={500}
        defaultValue={values?.address ?? ''}
        problem={fieldProblem(problem, 'address')}
      />
      <Field
        label="Phone number"
        name="phone_number"
        type="tel"
        autoComplete="tel"
        hint="7 to 15 digits"
        required
        defaultValue={values?.phone_number ?? ''}
        problem={fieldProblem(problem, 'phone_number')}
      />
    </>
  )
}

/** What the server found wrong with a field, in its words. */
export function fieldProblem(problem: Problem | undefined, name: string): string | undefined {
  const found = problem?.errors?.find(({ field }) => field === name)
  return found && `This ${found.rule}.`
}
