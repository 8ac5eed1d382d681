import { z } from 'zod'

/** Text that a person wrote. PostgreSQL stores every character of it but NUL. */
export const text = (max: number) =>
  z
    .string()
    .trim()
    .min(1)
    .max(max)
    .refine((value) => !value.includes('\0'), 'must not contain a NUL character')
