import { z } from 'zod'
import type { Routes } from '../route.ts'
import { text } from './text.ts'

const name = text(100)

const Profile = z.strictObject({
  first_name: name,
  last_name: name,
  address: text(500),
  phone_number: z
    .string()
    .regex(/^\+?[0-9]{7,15}$/, 'must be 7 to 15 digits, with + in front or not'),
})

/** Stored lower case: two spellings of one address are one account. */
const Email = z.string().trim().toLowerCase().max(254).pipe(z.email()).meta({ format: 'email' })

/**
 * At least 8 characters and no other rule of composition (ASVS 6.2.1, 6.2.5); the bound keeps hashing cheap. That it
 * is none of the most common ones (6.2.4) is for account to say, which has the list.
 */
const NewPassword = z.string().min(8).max(128)

export const Register = Profile.extend({ email: Email, password: NewPassword })
export type Register = z.infer<typeof Register>

export const Login = z.strictObject({ email: Email, password: z.string().min(1).max(128) })
export type Login = z.infer<typeof Login>

export const Refresh = z.strictObject({ refresh_token: z.string().min(1).max(512) })
export type Refresh = z.infer<typeof Refresh>

/** As it stands in the mail. */
const Code = z
  .string()
  .trim()
  .regex(/^[0-9]{6}$/, 'must be the 6 digits of the mail')

export const VerifyEmail = z.strictObject({ email: Email, code: Code })
export type VerifyEmail = z.infer<typeof VerifyEmail>

export const EmailOnly = z.strictObject({ email: Email })
export type EmailOnly = z.infer<typeof EmailOnly>

export const ResetPassword = z.strictObject({ email: Email, code: Code, password: NewPassword })
export type ResetPassword = z.infer<typeof ResetPassword>

export const Logout = z.strictObject({
  everywhere: z
    .boolean()
    .default(false)
    .meta({ description: 'Ends every session of the account, not only this one' }),
})
export type Logout = z.infer<typeof Logout>

/** The answer of what may send a mail: the same whether the address is known or not. */
export const MailAnswer = z.object({ message: z.string() })
export type MailAnswer = z.infer<typeof MailAnswer>

export const TokenPair = z.object({
  access_token: z.string(),
  refresh_token: z.string(),
  token_type: z.literal('Bearer'),
  expires_in: z.int().meta({ description: 'Seconds until the access token expires' }),
})
export type TokenPair = z.infer<typeof TokenPair>

export const UpdatePersonal = Profile
export type UpdatePersonal = z.infer<typeof UpdatePersonal>

export const Personal = Profile.extend({
  id: z.uuid(),
  email: z.string(),
  email_verified: z.boolean(),
})
export type Personal = z.infer<typeof Personal>

/** Where a purchase goes, and whom to call. */
export const Delivery = Profile.pick({ address: true, phone_number: true })
export type Delivery = z.infer<typeof Delivery>

const personal = {
  path: '/account/customer/personal',
  auth: true,
  status: 200,
  response: Personal,
} as const

const delivery = {
  path: '/account/customer/delivery',
  auth: true,
  status: 200,
  response: Delivery,
} as const

export const accountRoutes = {
  register: {
    method: 'post',
    path: '/account/register',
    limit: 'register',
    summary: 'Register an account',
    body: Register,
    status: 201,
    response: TokenPair,
    errors: ['conflict'],
  },
  login: {
    method: 'post',
    path: '/account/login',
    limit: 'login',
    summary: 'Log in',
    body: Login,
    status: 200,
    response: TokenPair,
    errors: ['unauthorized'],
  },
  refresh: {
    method: 'post',
    path: '/account/refresh',
    summary: 'Exchange a refresh token for a new token pair',
    body: Refresh,
    status: 200,
    response: TokenPair,
    errors: ['unauthorized'],
  },
  logout: {
    method: 'post',
    path: '/account/logout',
    summary: 'End this session, or with `everywhere` all of them',
    auth: true,
    body: Logout,
    status: 204,
    response: z.void(),
  },
  verifyEmail: {
    method: 'post',
    path: '/account/verify',
    limit: 'code',
    summary: 'Verify the email address with the code that was mailed to it',
    body: VerifyEmail,
    status: 204,
    response: z.void(),
    errors: ['unprocessable'],
  },
  resendCode: {
    method: 'post',
    path: '/account/verify/resend',
    limit: 'code',
    summary: 'Mail another verification code',
    body: EmailOnly,
    status: 202,
    response: MailAnswer,
  },
  forgotPassword: {
    method: 'post',
    path: '/account/password/forgot',
    limit: 'code',
    summary: 'Mail a code to set a new password with',
    body: EmailOnly,
    status: 202,
    response: MailAnswer,
  },
  resetPassword: {
    method: 'post',
    path: '/account/password/reset',
    limit: 'code',
    summary: 'Set a new password with a mailed code; ends every session',
    body: ResetPassword,
    status: 204,
    response: z.void(),
    errors: ['unprocessable'],
  },
  getPersonal: { ...personal, method: 'get', summary: 'Personal information of the caller' },
  /** The README's curl has `--data-raw ''`, which makes it a POST. */
  postPersonal: { ...personal, method: 'post', summary: 'The same, for clients that send a body' },
  updatePersonal: {
    ...personal,
    method: 'put',
    summary: 'Replace the personal information',
    body: UpdatePersonal,
  },
  getDelivery: { ...delivery, method: 'get', summary: 'Where purchases of the caller go' },
  updateDelivery: {
    ...delivery,
    method: 'put',
    summary: 'Replace the address and the phone number',
    body: Delivery,
  },
} as const satisfies Routes
