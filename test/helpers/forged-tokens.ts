import { createHmac, createSign, generateKeyPairSync, randomUUID } from 'node:crypto'
import jwt from 'jsonwebtoken'
import { testTokens } from './tokens.ts'

const { config, signingKey } = testTokens
const stranger = generateKeyPairSync('rsa', {
  modulusLength: 2048,
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  publicKeyEncoding: { type: 'spki', format: 'pem' },
}).privateKey

const good = {
  algorithm: 'RS256',
  keyid: signingKey.kid,
  issuer: config.JWT_ISSUER,
  audience: config.JWT_AUDIENCE,
  expiresIn: 60,
} as const satisfies jwt.SignOptions

/** What a thief may send instead of an access token of `accountId`; every route must refuse it. */
export function forgedTokens(
  accountId: string,
  sessionId: string = randomUUID(),
): Record<string, string> {
  const claims = { sub: accountId, sid: sessionId, typ: 'access' }
  const sign = (options: jwt.SignOptions, payload: object = claims, key = signingKey.pem) =>
    jwt.sign(payload, key, { ...good, ...options })
  const { keyid: _, ...withoutKid } = good
  const encode = (part: unknown) => Buffer.from(JSON.stringify(part)).toString('base64url')
  const [header = '', , signature = ''] = sign({}).split('.')

  return {
    'without a signature (alg none)': sign({ algorithm: 'none' }, claims, ''),
    'signed with the public key as if it were a secret (HS256)': hs256WithPublicKey(claims),
    'of another algorithm (PS256)': sign({ algorithm: 'PS256' }),
    'signed by a stranger': sign({}, claims, stranger),
    'with an unknown key id': sign({ keyid: 'unknown' }),
    'with a key id that every object has': sign({ keyid: 'constructor' }),
    'without a key id': jwt.sign(claims, signingKey.pem, withoutKid),
    expired: sign({ expiresIn: -1 }),
    'not valid yet': sign({ notBefore: 60 }),
    'for another audience': sign({ audience: 'elsewhere' }),
    'of another issuer': sign({ issuer: 'elsewhere' }),
    'of another type': sign({}, { ...claims, typ: 'refresh' }),
    'without a type': sign({}, { sub: accountId, sid: sessionId }),
    'without a session': sign({}, { sub: accountId, typ: 'access' }),
    'of no account': sign({}, { sid: sessionId, typ: 'access' }),
    'with changed claims': `${header}.${encode({ ...claims, sub: randomUUID() })}.${signature}`,
    'whose claims are not JSON': `${header}.${Buffer.from('{').toString('base64url')}.${signature}`,
    'whose header is not JSON': `a.${encode(claims)}.${signature}`,
    'whose claims are null': signText('null'),
    'whose claims are a number': signText('5'),
    'whose claims are a list': signText('[]'),
    'whose header is null': `${encode(null)}.${encode(claims)}.${signature}`,
    'that requires a rule we do not know (crit)': sign({
      header: { alg: 'RS256', crit: ['exp'] },
    } as jwt.SignOptions),
    'that is no token': 'nonsense',
  }
}

/** Any text as claims, with a valid signature of ours. */
function signText(payload: string): string {
  const encode = (text: string) => Buffer.from(text).toString('base64url')
  const header = JSON.stringify({ alg: 'RS256', typ: 'JWT', kid: signingKey.kid })
  const input = `${encode(header)}.${encode(payload)}`
  const signature = createSign('RSA-SHA256').update(input).sign(signingKey.pem, 'base64url')
  return `${input}.${signature}`
}

/** jsonwebtoken refuses to make this one, so it is made by hand. */
function hs256WithPublicKey(claims: object): string {
  const [key = ''] = Object.values(config.JWT_VERIFY_KEYS)
  const now = Math.floor(Date.now() / 1_000)
  const encode = (part: unknown) => Buffer.from(JSON.stringify(part)).toString('base64url')
  const payload = { ...claims, iat: now, exp: now + 60, iss: good.issuer, aud: good.audience }
  const head = { alg: 'HS256', typ: 'JWT', kid: signingKey.kid }
  const input = `${encode(head)}.${encode(payload)}`
  return `${input}.${createHmac('sha256', key).update(input).digest('base64url')}`
}
