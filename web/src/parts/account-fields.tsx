import type { Problem } from '../api/client.ts'
import { Field, fieldProblem } from './fields.tsx'

type Props = { problem: Problem | undefined }

/** The address that names an account. */
export function EmailField({ problem, value = '' }: Props & { value?: string | undefined }) {
  return (
    <Field
      label="Email"
      name="email"
      type="email"
      autoComplete="username"
      required
      maxLength={254}
      defaultValue={value}
      problem={fieldProblem(problem, 'email')}
    />
  )
}

/** The code of an e-mail. */
export function CodeField({ problem }: Props) {
  return (
    <Field
      label="Code"
      name="code"
      inputMode="numeric"
      autoComplete="one-time-code"
      required
      minLength={6}
      maxLength={6}
      problem={fieldProblem(problem, 'code')}
    />
  )
}

/** A password that is being chosen. */
export function NewPasswordField({ label, problem }: Props & { label: string }) {
  return (
    <Field
      label={label}
      name="password"
      type="password"
      autoComplete="new-password"
      hint="At least 8 characters"
      required
      minLength={8}
      maxLength={128}
      problem={fieldProblem(problem, 'password')}
    />
  )
}
