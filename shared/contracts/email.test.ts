import assert from 'node:assert/strict'
import { asciiEmail, Email } from './email.ts'

describe('an email address', () => {
  const spellings: Record<string, [written: string, stored: string]> = {
    'is stored in lower case and trimmed': [' Mai@Example.COM ', 'mai@example.com'],
    'may have an internationalised domain, which is stored in ASCII': [
      'mai@Bücher.example',
      'mai@xn--bcher-kva.example',
    ],
    'may have an internationalised top-level domain': ['mai@почта.рф', 'mai@xn--80a1acny.xn--p1ai'],
    'may be written in ASCII already': ['mai@xn--80a1acny.xn--p1ai', 'mai@xn--80a1acny.xn--p1ai'],
    'is the same with composed and decomposed characters': [
      'mai@bu\u0308cher.example',
      'mai@xn--bcher-kva.example',
    ],
    'is the same with a full-width domain': ['mai@ｅｘａｍｐｌｅ．com', 'mai@example.com'],
  }
  for (const [title, [written, stored]] of Object.entries(spellings)) {
    it(title, () => {
      assert.equal(Email.parse(written), stored)
      assert.equal(asciiEmail.safeParse(stored).success, true)
    })
  }

  it('is refused when its domain is none, or when the part before the @ is not ASCII', () => {
    const refused = [
      'mai',
      'mai@',
      '@example.com',
      'mai@example',
      'mai@exa mple.com',
      'mai@-example.com',
      'mai@[127.0.0.1]',
      'mại@example.com',
      'mai@example.c0m',
      'mai@xn--\u0000.com',
      `mai@${'ü'.repeat(250)}.example`,
    ]
    for (const written of refused) {
      assert.equal(Email.safeParse(written).success, false, written)
    }
  })
})
