import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'

const importOf = /\bfrom '(\.[^']+)'/g
/** A test that reaches one of these starts or uses a stack, an engine or another process. */
const stackOnly =
  /^(scripts\/stack\/(client|start|supervisor|engines\/.*)\.ts|test\/helpers\/temporal\.ts)$/
/** What a test is told about the stack it runs on. */
const stackVariable = /\bTEST_(STACK_DATA|POSTGRES_URL)\b/

/** Of the given test files, those that need no stack: no file they import, directly or not, opens one. */
export async function withoutStack(root: string, tests: string[]): Promise<string[]> {
  const verdicts = new Map<string, Promise<boolean>>()

  async function look(file: string): Promise<boolean> {
    if (stackOnly.test(file)) return true
    const text = await readFile(join(root, file), 'utf8').catch(() => '')
    if (stackVariable.test(text)) return true
    const imported = [...text.matchAll(importOf)].map(([, path = '']) => join(dirname(file), path))
    const needs = await Promise.all(imported.map(needsStack))
    return needs.includes(true)
  }

  // There are no import cycles (lint), so a file never waits for itself.
  function needsStack(file: string): Promise<boolean> {
    const verdict = verdicts.get(file) ?? look(file)
    verdicts.set(file, verdict)
    return verdict
  }

  const needs = await Promise.all(tests.map(needsStack))
  return tests.filter((_, index) => !needs[index])
}
