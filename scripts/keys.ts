import { readFile, rename, writeFile } from 'node:fs/promises'
import { parseArgs, parseEnv } from 'node:util'
import { rotate } from './keys/roll.ts'
import {
  type KeyName,
  KeyStepError,
  keyNames,
  processesOf,
  type Step,
  steps,
  takeStep,
} from './keys/steps.ts'
import { changesOf, withChanges } from './keys/variables.ts'
import { connectStack, StackNotRunningError } from './stack/client.ts'
import { loadSecrets, saveSecrets } from './stack/secrets.ts'

/*
 * npm run keys -- add|use|remove <key> [--env FILE [--value SECRET]]: replaces a key in three steps (docs/keys.md).
 * Without --env it changes the running native stack; with it, a file such as the .env of docker-compose.yml.
 */

const usage = `npm run keys -- ${steps.join('|')} ${keyNames.join('|')} [--env FILE [--value SECRET]]`

async function inNativeStack(key: KeyName, step: Step): Promise<void> {
  const dataDir = process.env.STACK_DATA || '.stack'
  const stack = await connectStack(dataDir).catch((error: unknown) => {
    if (error instanceof StackNotRunningError) return undefined
    throw error
  })
  if (!stack) {
    await saveSecrets(dataDir, takeStep(await loadSecrets(dataDir), key, step))
    console.log(`${key}: ${step} is in secrets.json; the stack is not running`)
    return
  }
  const restarted = await rotate(stack, key, step)
  console.log(`${key}: ${step} is done; ${restarted} processes were restarted in turn`)
}

async function inFile(file: string, key: KeyName, step: Step, value?: string): Promise<void> {
  const text = await readFile(file, 'utf8')
  const variables = Object.fromEntries(
    Object.entries(parseEnv(text)).map(([name, text]) => [name, text ?? '']),
  )
  const changes = changesOf(key, step, variables, value)
  await writeFile(`${file}.tmp`, withChanges(text, changes), { mode: 0o600 })
  await rename(`${file}.tmp`, file)
  const names = processesOf(key, step).join(' ')
  console.log(`${key}: ${step} changed ${Object.keys(changes).join(', ')} in ${file}`)
  console.log(`next: docker compose up --detach --wait --no-deps ${names}`)
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { env: { type: 'string' }, value: { type: 'string' } },
  })
  const step = steps.find((known) => known === positionals[0])
  const key = keyNames.find((known) => known === positionals[1])
  if (!step || !key || positionals.length !== 2) throw new KeyStepError(usage)
  if (values.env === undefined) await inNativeStack(key, step)
  else await inFile(values.env, key, step, values.value)
}

try {
  await main()
} catch (error) {
  console.error((error as Error).message)
  process.exitCode = 1
}
