import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { apiDocument } from './api-document.ts'
import { testStack } from './stack.ts'

const deadlineSeconds = 30
const marker = '\u001e'
/** What curl tells of a request after its body. */
const report = `${marker}%{method} %{response_code} %{url_effective} %{content_type}`

/**
 * Runs a curl command as it is printed, in a shell, with the real curl. Only the addresses are others: those of the
 * test stack for `http://localhost` and the CDN's `http://localhost:9000`. An answer of the API must be as the API's
 * document says.
 */
export async function curl(command: string) {
  const { urls } = await testStack()
  const addressed = command
    .replaceAll('http://localhost:9000/', `${urls.cdn}/`)
    .replaceAll('http://localhost/', `${urls.api}/`)
  const shell = `curl() { command curl --silent --show-error --max-time ${deadlineSeconds} --write-out '${report}' "$@"; }`
  const { stdout } = await promisify(execFile)('sh', ['-c', `${shell}\n${addressed}\n`], {
    encoding: 'buffer',
    maxBuffer: 64 * 1024 * 1024,
  })
  const end = stdout.lastIndexOf(marker)
  const content = stdout.subarray(0, end)
  const [method = '', code, url = '', ...type] = stdout
    .subarray(end + marker.length)
    .toString()
    .split(' ')
  const contentType = type.join(' ') || undefined
  const isJson = contentType?.includes('json') ?? false
  const body: unknown = isJson ? JSON.parse(content.toString()) : undefined
  const status = Number(code)
  const prefix = `${urls.api}/api/v1`
  if (url.startsWith(prefix)) {
    const { check } = await apiDocument()
    check({ method, path: url.slice(prefix.length), status, contentType, body })
  }
  return { status, contentType, content, body: body as Record<string, unknown> }
}

/** Replaces each `<name>` by its value; throws if there is none. */
export function fillIn(command: string, known: Record<string, string>): string {
  return command.replaceAll(/<(\w+)>/g, (_, name: string) => {
    const value = known[name]
    if (value === undefined) throw new Error(`nothing has told what <${name}> is`)
    return value
  })
}
