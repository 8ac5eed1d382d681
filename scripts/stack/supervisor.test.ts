import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { waitFor } from '../../shared/runtime/wait-for.ts'
import type { ProcessSpec } from './engine.ts'
import { baseEnv } from './environment.ts'
import { createSupervisor } from './supervisor.ts'

/** A process that says that it is ready by a file. */
function spec(dir: string, script = 'sleep 1000'): ProcessSpec {
  return {
    name: 'one',
    kind: 'engine',
    command: '/bin/sh',
    args: ['-c', `touch ready; ${script}`],
    env: baseEnv(),
    cwd: dir,
    ports: [],
    probe: async () => assert.ok(existsSync(join(dir, 'ready'))),
  }
}

async function isGone(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => ') Z')
  return stat.includes(') Z')
}

describe('the supervisor', () => {
  let dir: string
  let supervisor: ReturnType<typeof createSupervisor>

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'supervisor-test-'))
    supervisor = createSupervisor(dir, () => {})
  })

  afterEach(async () => {
    await supervisor.stopAll()
    await rm(dir, { recursive: true })
  })

  it('starts a process again that was killed', async () => {
    await supervisor.add(spec(dir))
    const [first] = await supervisor.status()

    supervisor.signal('one', 'SIGKILL')

    await waitFor('the restart', async () => {
      const [now] = await supervisor.status()
      return now?.state === 'ready' && now.restarts === 1 && now.pid !== first?.pid
    })
  })

  it('leaves a process down that was stopped, until it is wanted again', async () => {
    await supervisor.add(spec(dir))

    await supervisor.stop('one')

    assert.equal((await supervisor.status())[0]?.state, 'stopped')
    await supervisor.ensure()
    assert.equal((await supervisor.status())[0]?.state, 'ready')
  })

  it('stops a process that is frozen', async () => {
    await supervisor.add(spec(dir))
    supervisor.signal('one', 'SIGSTOP')

    await supervisor.stop('one')

    assert.equal((await supervisor.status())[0]?.state, 'stopped')
  })

  it('fails for a process that cannot start, with the end of its log', async () => {
    const broken = { ...spec(dir, 'rm ready; echo no such key >&2; exit 3'), probe: assert.fail }

    await assert.rejects(supervisor.add(broken), /ended 5 times before it was ready.*no such key/s)
  })

  it('leaves no process running when it is killed', async () => {
    const program = `
      import { createSupervisor } from ${JSON.stringify(join(import.meta.dirname, 'supervisor.ts'))}
      const supervisor = createSupervisor(${JSON.stringify(dir)}, () => {})
      await supervisor.add({ ...${JSON.stringify(spec(dir, 'exec sleep 1000'))}, probe: async () => {} })
      const [one] = await supervisor.status()
      console.log(one.pid)`
    const launcher = spawn(process.execPath, ['--input-type=module', '--eval', program])
    const [pid] = await once(launcher.stdout, 'data')
    const child = Number(String(pid))
    await readFile(`/proc/${child}/stat`)

    launcher.kill('SIGKILL')

    await waitFor('the end of the child', () => isGone(child))
  })
})
