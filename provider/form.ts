type Value = string | Value[] | { [name: string]: Value }

/** Reads a form as Stripe's clients write it: `metadata[purchase_id]=…&expand[0]=…` becomes objects and lists. */
export function readForm(text: string): Record<string, Value> {
  const root: Record<string, Value> = Object.create(null)
  for (const [name, value] of new URLSearchParams(text)) {
    const [, first = '', rest = ''] = /^([^[]*)(.*)$/.exec(name) ?? []
    const path = [first, ...[...rest.matchAll(/\[([^\]]*)\]/g)].map(([, key = '']) => key)]
    put(root, path, value)
  }
  return toLists(root) as Record<string, Value>
}

function put(into: Record<string, Value>, [name = '', ...rest]: string[], value: string): void {
  // `expand[]=a&expand[]=b` numbers its items in order.
  const key = name === '' ? `${Object.keys(into).length}` : name
  if (rest.length === 0) {
    into[key] = value
    return
  }
  const inner = into[key]
  const next = typeof inner === 'object' ? (inner as Record<string, Value>) : Object.create(null)
  into[key] = next
  put(next, rest, value)
}

function toLists(value: Value): Value {
  if (typeof value === 'string' || Array.isArray(value)) return value
  const entries = Object.entries(value).map(([key, inner]) => [key, toLists(inner)] as const)
  const isList = entries.length > 0 && entries.every(([key], index) => key === `${index}`)
  return isList ? entries.map(([, inner]) => inner) : Object.fromEntries(entries)
}
