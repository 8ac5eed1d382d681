import type { StackInfo } from './client.ts'
import type { Log } from './log.ts'

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

/** The interface of every file in scripts/stack/engines/. */
export type Engine = {
  /** Installs the programs into the cache; quick if they are there. */
  install(log: Log): Promise<unknown>
  /** Writes what the engine needs before it starts, and says how to start it. */
  prepare(stack: StackInfo, log: Log): Promise<ProcessSpec[]>
  /** Databases, topics, buckets …: run after every start, changes only what is missing. */
  setUp?(stack: StackInfo): Promise<void>
  /** Processes that need the first ones, set up: started after that. */
  prepareNext?(stack: StackInfo, log: Log): Promise<ProcessSpec[]>
  /** Engines that must be ready before this one is prepared. They come before it in the table of engines. */
  after?: readonly string[]
}
