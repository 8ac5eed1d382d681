import { z } from 'zod'
import { operatorEnv } from '../shared/http/operators.ts'
import { env, loadConfig, processEnv } from '../shared/runtime/config.ts'

const variables = {
  ...processEnv,
  ...operatorEnv,
  /** The shop's public entry point, where the buyers buy. */
  SHOP_URL: env.text,
  /** Where the orchestrator's operator API is, for the tour in which an operator decides. */
  OPERATOR_API_URL: env.text,
  PRODUCT_DATABASE_URL: env.text,
  ORDER_DATABASE_URL: env.text,
  PAYMENT_DATABASE_URL: env.text,
  PURCHASE_DATABASE_URL: env.text,
  STRIPE_API_URL: env.text,
  STRIPE_API_KEY: env.text,
  /** The data folder of the native stack, whose launcher breaks things. Without it there is no launcher. */
  STACK_DATA: z.string().default(''),
}

export type Config = ReturnType<typeof readConfig>

export function readConfig() {
  return loadConfig(variables, process.env)
}
