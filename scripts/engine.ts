import type { StackInfo } from './stack-client.ts'

export type Log = (line: string) => void

/** One child process of the stack: how it is started, asked and stopped. */
export type ProcessSpec = {
  name: string
  kind: 'engine' | 'service'
  command: string
  args: string[]
  env: Record<string, string>
  cwd?: string
  uid?: number
  ports: number[]
  /** Resolves when the process answers, throws while it does not. */
  probe: () => Promise<void>
  stopSignal?: NodeJS.Signals
  /** Sent by the kernel when the launcher dies. */
  deathSignal?: NodeJS.Signals
}

/** What every file of scripts/engines/ exports. */
export type Engine = {
  /** Brings the programs into the cache; quick when they are there. */
  install(log: Log): Promise<unknown>
  /** Writes what the engine needs before it starts, and says how to start it. */
  prepare(stack: StackInfo, log: Log): Promise<ProcessSpec[]>
  /** Databases, topics, buckets …: run after every start, changes only what is missing. */
  setUp?(stack: StackInfo): Promise<void>
}
