import { connectStack, type Stack } from '../../scripts/stack/client.ts'

let connected: Promise<Stack> | undefined

/** The stack that `npm test` started for this run, or with TEST_STACK_DATA unset the one of `npm run up`. */
export function testStack(): Promise<Stack> {
  connected ??= connectStack(process.env.TEST_STACK_DATA ?? process.env.STACK_DATA ?? '.stack')
  return connected
}
