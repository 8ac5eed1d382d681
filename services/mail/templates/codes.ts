import type { TemplateData } from '../../../shared/contracts/mail.ts'
import { letter, type Rendered } from './letter.ts'

export function verifyEmail(data: TemplateData<'verify-email'>): Rendered {
  return letter({
    subject: 'Your verification code',
    to: data.first_name,
    paragraphs: [
      'Welcome to the shop. This code verifies your email address:',
      { code: data.code },
      `It is good for ${data.minutes} minutes. If you did not register, you need not do anything.`,
    ],
  })
}

export function resetPassword(data: TemplateData<'reset-password'>): Rendered {
  return letter({
    subject: 'Your code for a new password',
    to: data.first_name,
    paragraphs: [
      'Somebody, we hope you, asked for a new password. With this code you can set one:',
      { code: data.code },
      `It is good for ${data.minutes} minutes, and ends every session of your account. If it was not you who asked, tell the code to nobody; your password stays as it is.`,
    ],
  })
}
