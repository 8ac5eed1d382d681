import { z } from 'zod'
import { Email } from './email.ts'
import { AccountExport, DeletionRequested, Delivery, Personal } from './personal-data.ts'
import type { Routes } from './route.ts'
import { password, text } from './text.ts'

const name = text(100)

/** What the document shows. */
const person = {
  first_name: 'Mai',
  last_name: 'Nguyễn',
  address: '12 Lê Lợi, Huế',
  phone_number: '+84901234567',
}
const email = 'mai@example.com'
const secret = 'correct horse battery'
const code = '482913'

const Profile = z
  .strictObject({
    first_name: name,
    last_name: name,
    address: text(500, { lines: 'many' }),
    phone_number: z
      .string()
      .regex(/^\+?[0-9]{7,15}$/, 'must be 7 to 15 digits, with + in front or not'),
  })
  .meta({ examples: [person] })

/**
 * At least 8 characters and no other rule of composition (ASVS 6.2.1, 6.2.5); the bound keeps hashing cheap. That it
 * is none of the most common ones (6.2.4) is for account to say, which has the list.
 */
const NewPassword = password(8, 128)

export const Register = Profile.extend({ email: Email, password: NewPassword }).meta({
  examples: [{ ...person, email, password: secret }],
})
export type Register = z.infer<typeof Register>

export const Login = z
  .strictObject({ email: Email, password: password(1, 128) })
  .meta({ examples: [{ email, password: secret }] })
export type Login = z.infer<typeof Login>

/** Our tokens are base64url; other text is refused without a lookup. */
const Token = z.string().regex(/^[\w-]{1,512}$/, 'must be a token that this service issued')

export const Refresh = z
  .strictObject({ refresh_token: Token })
  .meta({ examples: [{ refresh_token: 'q3Zk0b8vT1mXw5y7' }] })
export type Refresh = z.infer<typeof Refresh>

/** As it is in the e-mail. */
const Code = z
  .string()
  .trim()
  .regex(/^[0-9]{6}$/, 'must be the 6 digits of the mail')

export const VerifyEmail = z
  .strictObject({ email: Email, code: Code })
  .meta({ examples: [{ email, code }] })
export type VerifyEmail = z.infer<typeof VerifyEmail>

export const EmailOnly = z.strictObject({ email: Email }).meta({ examples: [{ email }] })
export type EmailOnly = z.infer<typeof EmailOnly>

export const ResetPassword = z
  .strictObject({ email: Email, code: Code, password: NewPassword })
  .meta({ examples: [{ email, code, password: secret }] })
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

/** What a page is told of its session. The refresh token is in a cookie that its scripts cannot read. */
export const BrowserSession = TokenPair.omit({ refresh_token: true })
export type BrowserSession = z.infer<typeof BrowserSession>

export const UpdatePersonal = Profile
export type UpdatePersonal = z.infer<typeof UpdatePersonal>

export const UpdateDelivery = Profile.pick({ address: true, phone_number: true }).meta({
  examples: [{ address: person.address, phone_number: person.phone_number }],
})
export type UpdateDelivery = z.infer<typeof UpdateDelivery>

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
    location: '/account/customer/personal',
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
  registerInBrowser: {
    method: 'post',
    path: '/account/session/register',
    limit: 'register',
    summary: 'Register an account in a browser: the refresh token is a cookie',
    body: Register,
    cookies: true,
    status: 201,
    location: '/account/customer/personal',
    response: BrowserSession,
    errors: ['forbidden', 'conflict'],
  },
  loginInBrowser: {
    method: 'post',
    path: '/account/session/login',
    limit: 'login',
    summary: 'Log in in a browser: the refresh token is a cookie',
    body: Login,
    cookies: true,
    status: 200,
    response: BrowserSession,
    errors: ['forbidden', 'unauthorized'],
  },
  refreshInBrowser: {
    method: 'post',
    path: '/account/session/refresh',
    summary: 'Exchange the refresh token of the cookie for a new one and an access token',
    cookies: true,
    status: 200,
    response: BrowserSession,
    errors: ['forbidden', 'unauthorized'],
  },
  logoutInBrowser: {
    method: 'post',
    path: '/account/session/logout',
    summary: 'End the session of this browser and remove its cookies',
    auth: true,
    body: Logout,
    cookies: true,
    status: 204,
    response: z.void(),
    errors: ['forbidden'],
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
  exportAccount: {
    method: 'get',
    path: '/account/export',
    summary: 'All that account stores of the caller, and where the other services show the rest',
    auth: true,
    status: 200,
    response: AccountExport,
  },
  deleteAccount: {
    method: 'post',
    path: '/account/delete',
    limit: 'login',
    summary:
      'Delete the account, given its email address and password again: sessions end now, the person is removed when open purchases have ended',
    auth: true,
    body: Login,
    status: 202,
    response: DeletionRequested,
    errors: ['unauthorized'],
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
    body: UpdateDelivery,
  },
} as const satisfies Routes
