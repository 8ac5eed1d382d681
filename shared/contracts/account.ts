import { z } from 'zod'
import type { Routes } from '../http.ts'
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
const Email = z.string().trim().toLowerCase().max(254).pipe(z.email())

/** At least 8 characters and no other rule of composition (ASVS 6.2.1, 6.2.5); the bound keeps hashing cheap. */
const NewPassword = z.string().min(8).max(128)

export const Register = Profile.extend({ email: Email, password: NewPassword })
export type Register = z.infer<typeof Register>

export const Login = z.strictObject({ email: Email, password: z.string().min(1).max(128) })
export type Login = z.infer<typeof Login>

export const Refresh = z.strictObject({ refresh_token: z.string().min(1).max(512) })
export type Refresh = z.infer<typeof Refresh>

export const TokenPair = z.object({
  access_token: z.string(),
  refresh_token: z.string(),
  token_type: z.literal('Bearer'),
  /** Seconds until the access token expires. */
  expires_in: z.int(),
})
export type TokenPair = z.infer<typeof TokenPair>

export const Personal = Profile.extend({ id: z.uuid(), email: z.string() })
export type Personal = z.infer<typeof Personal>

const personal = {
  path: '/account/customer/personal',
  auth: true,
  status: 200,
  response: Personal,
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
  },
  login: {
    method: 'post',
    path: '/account/login',
    limit: 'login',
    summary: 'Log in',
    body: Login,
    status: 200,
    response: TokenPair,
  },
  refresh: {
    method: 'post',
    path: '/account/refresh',
    summary: 'Exchange a refresh token for a new token pair',
    body: Refresh,
    status: 200,
    response: TokenPair,
  },
  getPersonal: { ...personal, method: 'get', summary: 'Personal information of the caller' },
  /** The README's curl has `--data-raw ''`, which makes it a POST. */
  postPersonal: { ...personal, method: 'post', summary: 'The same, for clients that send a body' },
} as const satisfies Routes
