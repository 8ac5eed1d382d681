import type { TemplateData } from '../../../shared/contracts/mail.ts'
import { layout, type Rendered } from './layout.ts'

export function verifyEmail(data: TemplateData<'verify-email'>): Rendered {
  return layout({
    subject: 'Your verification code',
    to: data.first_name,
    parts: [
      'Welcome to the shop. This code verifies your email address:',
      { code: data.code },
      `It is valid for ${data.minutes} minutes. If you did not register, ignore this e-mail.`,
    ],
  })
}

export function resetPassword(data: TemplateData<'reset-password'>): Rendered {
  return layout({
    subject: 'Your code for a new password',
    to: data.first_name,
    parts: [
      'Someone asked for a new password for your account. Set it with this code:',
      { code: data.code },
      `It is valid for ${data.minutes} minutes. Using it ends every session of your account. If you did not ask for it, do not pass it on: your password has not changed.`,
    ],
  })
}
