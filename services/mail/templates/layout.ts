export type Rendered = { subject: string; text: string; html: string }

/**
 * A part of an e-mail. All are plain text: only this file turns them into HTML. `code` is highlighted, `address` keeps
 * its lines, `table` shows what was bought with the amounts at the end of each line, and `url` is a link of ours.
 */
export type Part =
  | string
  | { code: string }
  | { address: string[] }
  | { table: { text: string; amount: string }[]; total: string }
  | { link: string; url: string }

/** The layout of every e-mail, as text and as HTML, from the same parts. */
export function layout({
  subject,
  to,
  parts,
}: {
  subject: string
  to: string
  parts: Part[]
}): Rendered {
  const name = greetable(to)
  const all: Part[] = [
    name ? `Hello ${name},` : 'Hello,',
    ...parts,
    'This e-mail was sent automatically. Replies to it are not read.',
  ]
  return {
    subject,
    text: `${all.map(toText).join('\n\n')}\n`,
    html: page(subject, all.map(toHtml).join('\n')),
  }
}

function toText(part: Part): string {
  if (typeof part === 'string') return part
  if ('code' in part) return `    ${part.code}`
  if ('address' in part) return part.address.map((line) => `    ${line}`).join('\n')
  if ('link' in part) return `${part.link}:\n${part.url}`
  const lines = part.table.map(({ text, amount }) => `    ${text}: ${amount}`)
  return [...lines, `    Total: ${part.total}`].join('\n')
}

const cell = 'padding: 6px 0; border-bottom: 1px solid #dddddd'
const amountCell = `${cell}; padding-left: 16px; text-align: right; white-space: nowrap`

function toHtml(part: Part): string {
  if (typeof part === 'string') return `<p>${escapeHtml(part)}</p>`
  if ('code' in part) {
    return `<p style="font: bold 24px monospace; letter-spacing: 4px">${escapeHtml(part.code)}</p>`
  }
  if ('address' in part) return `<p>${part.address.map(escapeHtml).join('<br>')}</p>`
  if ('link' in part) {
    return `<p><a href="${escapeHtml(part.url)}">${escapeHtml(part.link)}</a></p>`
  }
  const row = (text: string, amount: string) =>
    `<tr><td style="${cell}">${text}</td><td style="${amountCell}">${amount}</td></tr>`
  const rows = part.table.map(({ text, amount }) => row(escapeHtml(text), escapeHtml(amount)))
  const total = row('<strong>Total</strong>', `<strong>${escapeHtml(part.total)}</strong>`)
  return `<table width="100%" cellspacing="0" cellpadding="0">\n${[...rows, total].join('\n')}\n</table>`
}

/** Mail programs know tables and styles of elements, and little else: no style sheet, script or file from elsewhere. */
function page(subject: string, body: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${escapeHtml(subject)}</title>
</head>
<body style="margin: 0; padding: 16px; font: 16px/1.5 sans-serif">
<table role="presentation" width="100%" align="center" cellspacing="0" cellpadding="0" style="max-width: 600px"><tr><td>
${body}
</td></tr></table>
</body>
</html>
`
}

/** Where a mail program would begin a link. */
const linkStart = /:\/\/|www\.|@|\.(?=\p{L}{2})/giu

/**
 * Text of a customer or seller on one line, in which mail programs find no link: an invisible joiner stands where one
 * would begin. Anybody can register anybody's address and sell anything, so such text must not lead anywhere.
 */
export function plainLine(text: string): string {
  const line = text.replace(unprintable, ' ').replace(/\s+/g, ' ').trim()
  return line.replace(linkStart, (start) => `${start}\u2060`)
}

/** Control, format and separator characters: line breaks of every kind, and changes of the reading direction. */
const unprintable = /[\p{C}\p{Zl}\p{Zp}]+/gu
/** Text that mail programs turn into a link. */
const linkLike = /:\/\/|www\.|@|\.\p{L}{2}/iu
const maxName = 60

/**
 * A name that a mail can greet with. Anybody can register anybody's address, so a name must not bring lines or links
 * of its own into a mail of ours: then it is left out.
 */
function greetable(name: string): string | undefined {
  const line = name.replace(unprintable, ' ').replace(/\s+/g, ' ').trim()
  return line === '' || line.length > maxName || linkLike.test(line) ? undefined : line
}

const entities: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => entities[character] ?? '')
}
