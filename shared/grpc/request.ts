import type { z } from 'zod'
import { invalid } from '../runtime/errors.ts'

/** The parsed request. Throws `invalid`, with each field and its rule, for one that does not match `schema`. */
export function parseRequest<T extends z.ZodType>(schema: T, request: object): z.infer<T> {
  const { error, data } = schema.safeParse(request)
  if (error) throw invalid(error.issues)
  return data
}
