import assert from 'node:assert/strict'
import { glob } from 'node:fs/promises'
import { checkout, listDocuments, readDocument } from './markdown.ts'

/** Words that stood here for a concept with a standard name, and that name. */
const discouraged: [RegExp, string][] = [
  [/\bcrowds?\b/i, 'in-flight or concurrent requests, burst'],
  [/\b(?:doors?|lobby)\b/i, 'entry point, interface, admission'],
  [/\b(?:wish(?:es|ed)?|unwanted)\b/i, 'cancel request'],
  [/\baway\b/i, 'unavailable'],
  [/\b(?:short|long|other) way\b/i, 'fast path, fallback'],
  [/\bhear(?:s|d)?\b/i, 'receive, consume'],
  [/\b(?:giv(?:e|es|en|ing)|gave) up\b|\bgiveUp\b/i, 'abandon, stop'],
  [/\bparked\b/i, 'stale'],
  [/(?<!dead[-_\s*/]{1,20})\bletters?\b(?!-spacing)/i, 'dead letter or e-mail'],
  [/\bforgets?\b/i, 'purge, delete'],
  [/\bow(?:e|es|ed|ing)\b/i, 'pending'],
  [/\bdistrust(?:s|ed)?\b/i, 'invalidate'],
  [/\b(?:keeper|fate|hush)\b/i, 'maintenance, selected fault, silence'],
  [/\bkept_?until\b/i, 'expires_at'],
  [/\bcalm(?:Ms)?\b/i, 'quiet period'],
  [/\bseveral\b/i, 'a number, or more than one'],
  [/\b(?:stands?|standing|stood) still\b/i, 'stalled'],
  [/\bmend(?:s|ed|ing)?\b/i, 'fix'],
  [/\btaken up again\b/i, 'restarted'],
  [/\bbehind\b/i, 'after'],
  [/\bbears?\b/i, 'tolerate'],
  [/\brooms\b/i, 'files of a service'],
  [/\b(?:some(?:body|one)|whoever)/i, 'the caller, customer or reader that is meant'],
]

/** Where a discouraged word stays, and why. */
const allowed: [place: RegExp, text: RegExp, reason: string][] = [
  [/^test\/docs\/words\.test\.ts$/, /./, 'lists the words'],
  [/^docs\/metrics\.md$/, /hit, miss, or away/, 'values of a label'],
  [
    /^services\/purchase\/idempotency-cache(?:\.test)?\.ts$/,
    /hit, miss, or away|outcome: 'away'/,
    'value of a label',
  ],
  [
    /^services\/mail\/templates\/codes\.ts$/,
    /Someone asked for a new password/,
    'an e-mail that cannot know who',
  ],
]

/** The sources that this test reads besides the documents. */
const sources =
  '{{bench,lab,provider}/**/*.ts,web/**/*.{ts,tsx},scripts/**/*.{ts,mjs},prisma/*.ts,prisma/*/schema.prisma,test/**/*.ts,shared/{cache,database,runtime,messaging,contracts}/**/*.ts,services/{product,order,mail,purchase,orchestrator,account,media,payment}/**/*.ts,{workflows,activities,temporal}/**/*.ts,shared/{http,kafka,grpc,telemetry}/**/*.{ts,proto},*.yml,deploy/**/*.yml}'

describe('words', () => {
  it('are those of the glossary, and not the ones that stood for the same things before', async () => {
    const documents = (await listDocuments()).filter(
      (path) => !/^(?:CHANGELOG|RESULTS)\.md$/.test(path),
    )
    const code = await Array.fromAsync(glob(sources, { cwd: checkout }))
    const texts = await Promise.all(
      // Titles of tests that a document quotes are read where they stand.
      [...documents, ...code].map(async (path) => {
        return [path, (await readDocument(path)).replace(/“[^”\n]*”/g, '')] as const
      }),
    )

    const found = texts.flatMap(([path, text]) =>
      discouraged.flatMap(([word, instead]) =>
        [...text.matchAll(new RegExp(word, `${word.flags}g`))]
          .map(({ index, 0: match }) => {
            const start = text.lastIndexOf('\n', index) + 1
            const line = text.slice(start, text.indexOf('\n', index)).trim()
            const number = text.slice(0, index).split('\n').length
            return { line, say: `${path}:${number}: ${match} (${instead}): ${line}` }
          })
          .filter(
            ({ line }) => !allowed.some(([place, what]) => place.test(path) && what.test(line)),
          )
          .map(({ say }) => say),
      ),
    )

    assert.ok(texts.length > 100)
    assert.deepEqual(found, [])
  })
})
