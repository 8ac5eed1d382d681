import currencyCodes from 'currency-codes'
import { z } from 'zod'

/** The number of decimals of an ISO 4217 currency (VND 0, USD 2), or undefined when there is no such code. */
export function minorUnits(currencyCode: string): number | undefined {
  return currencyCodes.code(currencyCode)?.digits
}

/** An amount in minor units as people write it: 12550 USD is `125.50 USD`, 125 VND is `125 VND`. */
export function formatAmount(amount: number, currencyCode: string): string {
  const digits = minorUnits(currencyCode) ?? 0
  return `${(amount / 10 ** digits).toFixed(digits)} ${currencyCode}`
}

/** The variable that says in which one currency every price of the shop is. */
export const shopEnv = {
  SHOP_CURRENCY: z
    .string()
    .refine((code) => minorUnits(code) !== undefined, 'must be an ISO 4217 code')
    .default('VND'),
}
