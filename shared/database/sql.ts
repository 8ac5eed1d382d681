export { sqltag as sql } from '@prisma/client/runtime/client'

/** The part of a Prisma client or transaction that runs hand-written statements. */
export type Sql = {
  $queryRaw<T>(query: TemplateStringsArray, ...values: unknown[]): PromiseLike<T>
  $executeRaw(query: TemplateStringsArray, ...values: unknown[]): PromiseLike<number>
}
