import { createHash, randomBytes } from 'node:crypto'

const token = randomBytes(32).toString('base64url')
const name = 'lan'

/** An operator of this test run: a real token, of which the services know only the hash. */
export const operators = {
  name,
  token,
  config: {
    OPERATOR_TOKENS: { [name]: createHash('sha256').update(token).digest('hex') },
    OPERATOR_SESSION_KEYS: [randomBytes(32).toString('base64url')],
  },
}
