import { STATUS_CODES } from 'node:http'
import { z } from 'zod'
import {
  createDocument,
  type ZodOpenApiObject,
  type ZodOpenApiOperationObject,
  type ZodOpenApiResponseObject,
} from 'zod-openapi'
import manifest from '../../package.json' with { type: 'json' }
import * as account from '../contracts/account.ts'
import * as commands from '../contracts/commands.ts'
import * as media from '../contracts/media.ts'
import * as order from '../contracts/order.ts'
import * as payment from '../contracts/payment.ts'
import * as personalData from '../contracts/personal-data.ts'
import { type ErrorKind, errorKinds, Problem } from '../contracts/problem.ts'
import * as product from '../contracts/product.ts'
import * as purchase from '../contracts/purchase.ts'
import * as refund from '../contracts/refund.ts'
import { apiPrefix, type Route } from '../contracts/route.ts'
import { routesByService } from '../contracts/routes.ts'

type Tables = Record<string, Record<string, Route>>
type Description = {
  title: string
  description: string
  /** The routes by what they belong to, and what each of those is. */
  tables: Tables
  tags: Record<string, string>
  /** Whose schemas are named as they are there. */
  contracts: Record<string, unknown>[]
  securitySchemes: NonNullable<ZodOpenApiObject['components']>['securitySchemes']
}

const tags: Record<keyof typeof routesByService, string> = {
  account: 'Accounts, tokens, email addresses',
  product: 'Categories, products, stock',
  order: 'Orders of the caller; an order has the id of its purchase',
  payment: 'Payments of the caller; a payment has the id of its purchase',
  purchase: 'Buying: each purchase is a saga that completes or is undone',
  media: 'Images and videos of products; the CDN serves the files themselves',
}

const description = `A shop in which one purchase spans services that each own their data.

Amounts are minor units of the shop's currency. Lists are newest first: give \`next_cursor\` as \`cursor\` for the next page.
Unknown fields are refused. Every failure is a problem of RFC 9457 whose \`type\` is stable.`

/** The OpenAPI 3.1 document of the whole shop, made from the contracts that the services themselves check with. */
export function createOpenApiDocument() {
  return describeRoutes({
    title: 'Shop',
    description,
    tables: routesByService,
    tags,
    contracts: [account, commands, media, order, payment, personalData, product, purchase, refund],
    securitySchemes: { bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' } },
  })
}

/** Makes a document of routes. Schemas are named in it as they are in the contracts. */
export function describeRoutes({ tables, contracts, securitySchemes, ...info }: Description) {
  nameSchemas({ Problem }, ...contracts)
  const security = Object.keys(securitySchemes ?? {}).map((name) => ({ [name]: [] }))
  const paths: NonNullable<ZodOpenApiObject['paths']> = {}
  for (const [table, routes] of Object.entries(tables)) {
    for (const [name, route] of Object.entries(routes)) {
      const path = route.path.replaceAll(/:(\w+)/g, '{$1}')
      const described = operation(table, name, route, route.auth ? security : [])
      paths[path] = { ...paths[path], [route.method]: described }
    }
  }
  const content: ZodOpenApiObject = {
    openapi: '3.1.1',
    info: {
      title: info.title,
      version: manifest.version,
      description: info.description,
      license: { name: manifest.license, identifier: manifest.license },
    },
    servers: [{ url: apiPrefix }],
    tags: Object.entries(info.tags).map(([name, text]) => ({ name, description: text })),
    components: { securitySchemes },
    paths,
  }
  return createDocument(content, {
    override: ({ jsonSchema, io }) => {
      simplify(jsonSchema)
      if (io === 'input') describeDefaults(jsonSchema)
    },
  })
}

/** Leaves out what adds no information: the pattern of a known format, and the range of safe integers. */
function simplify(schema: {
  format?: string | undefined
  pattern?: string | undefined
  minimum?: number | undefined
  maximum?: number | undefined
}): void {
  if (schema.format !== undefined) delete schema.pattern
  if (schema.minimum === Number.MIN_SAFE_INTEGER) delete schema.minimum
  if (schema.maximum === Number.MAX_SAFE_INTEGER) delete schema.maximum
}

/**
 * Describes in words the default of a field that is not sent. Generators of clients treat a field with a default as
 * always present, and require it.
 */
function describeDefaults({ properties = {} }: { properties?: Record<string, unknown> }): void {
  for (const property of Object.values(properties) as {
    default?: unknown
    description?: string
  }[]) {
    if (property.default === undefined) continue
    const said = property.description ? `${property.description}. ` : ''
    property.description = `${said}When it is not sent: ${JSON.stringify(property.default)}`
    delete property.default
  }
}

/** A schema is called in the document what it is called in its contract. */
function nameSchemas(...contracts: Record<string, unknown>[]): void {
  for (const [id, schema] of contracts.flatMap(Object.entries)) {
    if (schema instanceof z.ZodType) z.globalRegistry.add(schema, { ...schema.meta(), id })
  }
}

function operation(
  table: string,
  name: string,
  route: Route,
  security: Record<string, string[]>[],
): ZodOpenApiOperationObject {
  const { params, query, headers } = route
  return {
    operationId: name,
    tags: [table],
    summary: route.summary,
    ...(route.role && { description: `Needs the role \`${route.role}\`` }),
    security,
    requestParams: {
      ...(params && { path: params }),
      ...(query && { query }),
      ...(headers && { header: z.object(mapKeys(headers.shape, headerCase)) }),
    },
    ...requestBody(route),
    responses: {
      [route.status]: success(route),
      ...(route.ended && {
        200: {
          description: 'With `Prefer: wait=N`, when all has ended in time',
          content: { 'application/json': { schema: route.ended } },
        },
      }),
      // Tells a client of a stream to stop reconnecting.
      ...(route.stream && { 204: { description: STATUS_CODES[204] ?? '' } }),
      ...Object.fromEntries(
        errorsOf(route).map((kind) => [errorKinds[kind].http, problemResponses.get(kind)]),
      ),
      default: anyOtherFailure,
    },
  }
}

function requestBody({ body, multipart }: Route) {
  if (body) {
    const required = !body.safeParse({}).success
    return { requestBody: { required, content: { 'application/json': { schema: body } } } }
  }
  if (!multipart) return {}
  const schema = multipart.fields
    .extend({ [multipart.files]: z.array(z.file()).min(1) })
    .meta({ description: 'The fields stand before the files' })
  return { requestBody: { required: true, content: { 'multipart/form-data': { schema } } } }
}

function success({ status, response, stream, location, etag }: Route): ZodOpenApiResponseObject {
  const text = STATUS_CODES[status] ?? ''
  const names = [...(location ? ['Location'] : []), ...(etag ? ['ETag'] : [])]
  const fields = Object.fromEntries(names.map((name) => [name, z.string()]))
  const headers = names.length > 0 ? { headers: z.object(fields) } : {}
  if (status === 204) return { description: text }
  const type = stream ? 'text/event-stream' : 'application/json'
  return { description: text, ...headers, content: { [type]: { schema: response } } }
}

/** What its parts make possible, and what its service says besides. */
function errorsOf(route: Route): ErrorKind[] {
  const takes = route.body ?? route.multipart
  const kinds: (ErrorKind | false | undefined)[] = [
    (takes ?? route.params ?? route.query ?? route.headers) && 'invalid',
    route.auth && 'unauthorized',
    // With the cookie of a session, for a page of another origin.
    route.auth === 'operator' && route.method !== 'get' && 'forbidden',
    route.role && 'forbidden',
    route.params && 'not_found',
    takes && 'too_large',
    takes && 'unsupported_media_type',
    takes && 'request_timeout',
    route.limit && 'too_many_requests',
    ...(route.errors ?? []),
    'unavailable',
  ]
  return [...new Set(kinds.filter((kind) => typeof kind === 'string'))]
}

const retryAfter = z.int().min(1).meta({ description: 'Seconds until it may go through' })

const headersOf: { [K in ErrorKind]?: z.ZodObject } = {
  unauthorized: z.object({ 'WWW-Authenticate': z.string() }),
  too_many_requests: z.object({ 'Retry-After': retryAfter }),
  unavailable: z.object({ 'Retry-After': retryAfter }),
}

const problem = { 'application/problem+json': { schema: Problem } }

const problemResponses = new Map<ErrorKind, ZodOpenApiResponseObject>(
  (Object.keys(errorKinds) as ErrorKind[]).map((kind) => {
    const id = kind.replaceAll(/(?:^|_)(\w)/g, (_, initial: string) => initial.toUpperCase())
    const headers = headersOf[kind]
    const description = errorKinds[kind].title
    return [kind, { id, description, content: problem, ...(headers && { headers }) }]
  }),
)

const anyOtherFailure: ZodOpenApiResponseObject = {
  id: 'Failure',
  description: 'Any other failure',
  content: problem,
}

function headerCase(name: string): string {
  return name.replaceAll(/(?:^|-)\w/g, (start) => start.toUpperCase())
}

function mapKeys<T>(from: Record<string, T>, rename: (key: string) => string): Record<string, T> {
  return Object.fromEntries(Object.entries(from).map(([key, value]) => [rename(key), value]))
}
