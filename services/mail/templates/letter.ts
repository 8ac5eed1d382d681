export type Rendered = { subject: string; text: string; html: string }

/** A paragraph; one with `code` stands out. Both are plain text: here is the one place that makes HTML of it. */
export type Paragraph = string | { code: string }

/** A letter as text and as HTML, from the same paragraphs. */
export function letter({
  subject,
  to,
  paragraphs,
}: {
  subject: string
  to: string
  paragraphs: Paragraph[]
}): Rendered {
  const name = greetable(to)
  const all: Paragraph[] = [
    name ? `Hello ${name},` : 'Hello,',
    ...paragraphs,
    'This mail was sent by a machine; nobody reads answers to it.',
  ]
  const text = all.map((part) => (typeof part === 'string' ? part : `    ${part.code}`))
  const body = all.map((part) =>
    typeof part === 'string'
      ? `<p>${escapeHtml(part)}</p>`
      : `<p style="font: bold 24px monospace; letter-spacing: 4px">${escapeHtml(part.code)}</p>`,
  )
  return {
    subject,
    text: `${text.join('\n\n')}\n`,
    html: `<!doctype html>\n<meta charset="utf-8">\n<title>${escapeHtml(subject)}</title>\n${body.join('\n')}\n`,
  }
}

/** Control, format and separator characters: line breaks of every kind, and what turns the reading direction. */
const unprintable = /[\p{C}\p{Zl}\p{Zp}]+/gu
/** What mail programs make a link of. */
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
