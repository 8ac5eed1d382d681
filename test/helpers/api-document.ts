import { Ajv2020 } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import { request } from '../../scripts/stack/shop-client.ts'
import type { createOpenApiDocument } from '../../shared/http/openapi.ts'
import { testStack } from './stack.ts'

/** A request and its response. `path` is without the API's prefix. */
export type Exchange = {
  method: string
  path: string
  status: number
  contentType: string | undefined
  body: unknown
}

type FetchedDocument = ReturnType<typeof fetchDocument>
let ofShop: FetchedDocument | undefined
let ofOperators: FetchedDocument | undefined

/** The API's document as the test stack serves it, to compare answers with. */
export function apiDocument() {
  ofShop ??= testStack().then(({ urls }) => fetchDocument(`${urls.api}/api/v1/openapi.json`))
  return ofShop
}

/** The document of what operators can do. */
export function operatorDocument() {
  ofOperators ??= testStack().then(({ urls }) =>
    fetchDocument(`${urls.operators}/api/v1/console/openapi.json`),
  )
  return ofOperators
}

/** A request whose answer must be as the document says. */
export async function checkedRequest<T>(...asked: Parameters<typeof request>) {
  const answer = await request<T>(...asked)
  const [, method, path] = asked
  const { status, headers, body } = answer
  const { check } = await apiDocument()
  check({ method, path, status, contentType: headers['content-type'], body })
  return answer
}

async function fetchDocument(url: string) {
  const response = await fetch(url)
  if (!response.ok) throw new Error(`no document: ${response.status}`)
  const document = (await response.json()) as ReturnType<typeof createOpenApiDocument>
  const ajv = new Ajv2020({ strict: false, allErrors: true })
  addFormats.default(ajv)
  ajv.addSchema(document, 'api')
  const templates = Object.keys(document.paths ?? {})

  /** The part of the document at a JSON pointer, and that pointer, past a reference. */
  function at(...steps: string[]): { pointer: string; part: unknown } {
    let part: unknown = document
    for (const step of steps) part = (part as Record<string, unknown> | undefined)?.[step]
    const reference = (part as { $ref?: string } | undefined)?.$ref
    if (reference !== undefined) return at(...reference.slice(2).split('/'))
    const escaped = steps.map((step) =>
      encodeURIComponent(step.replaceAll('~', '~0').replaceAll('/', '~1')),
    )
    return { pointer: `#/${escaped.join('/')}`, part }
  }

  return {
    document,

    /** Throws unless the document has this answer: its path, method, status, content type and form. */
    check({ method, path, status, contentType, body }: Exchange): void {
      const what = `${method} ${path} ${status}`
      const pathname = path.replace(/\?.*/, '')
      const template =
        templates.find((each) => pathname === each) ?? templates.find(matches(pathname))
      if (template === undefined) throw new Error(`${what}: no such path in the document`)
      const response = at('paths', template, method.toLowerCase(), 'responses', String(status))
      if (response.part === undefined) throw new Error(`${what}: not in the document`)
      const { content = {} } = response.part as { content?: Record<string, object> }
      const [type] = Object.keys(content)
      if (type !== contentType?.replace(/;.*/, '')) {
        throw new Error(`${what}: ${contentType} instead of ${type}`)
      }
      if (type === undefined) return
      const schema = `${response.pointer}/content/${encodeURIComponent(type.replaceAll('/', '~1'))}/schema`
      if (!ajv.validate({ $ref: `api${schema}` }, body)) {
        throw new Error(`${what}: ${ajv.errorsText()} in ${JSON.stringify(body)}`)
      }
    },
  }
}

function matches(path: string) {
  return (template: string) =>
    new RegExp(`^${template.replaceAll(/\{\w+\}/g, '[^/]+')}$`).test(path)
}
