import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir, readFile, readlink, rm, rmdir } from 'node:fs/promises'
import { join } from 'node:path'
import { tied } from '../../scripts/stack/run-command.ts'
import { waitFor } from '../../shared/runtime/wait-for.ts'
import type { Parts } from './parts.ts'

/*
 * The engine runs in namespaces of its own: network, mounts and processes. The kernel ends and removes all of them with
 * their first process, however that ends, so that nothing of the machine's own is changed and nothing is left.
 */

/** Of every container. It outlives a test that is killed, so the next test removes it. */
export const cgroup = 'saga-containers'
/** Sockets and records of the running engine. Short, because a socket's path has a limit. */
export const runFolder = '/tmp/saga-containers'
/** No test takes as long; one that does is ended. */
const deadlineMs = 45 * 60_000

const networkOf = (pid: number | 'self') => readlink(`/proc/${pid}/ns/net`)

/** Waits until a process has left the machine's network for its own. */
async function hasOwnNetwork(unshare: ChildProcess): Promise<string> {
  const machines = await networkOf('self')
  const pid = Number(unshare.pid)
  await waitFor('the namespaces', async () => (await networkOf(pid)) !== machines)
  return String(pid)
}

/** The command after which a shell on this machine is inside. `unshare` itself is not, its child is. */
async function wayInside(unshare: number | undefined): Promise<string> {
  const children = `/proc/${unshare}/task/${unshare}/children`
  const child = await waitFor('the first process', async () =>
    Number(await readFile(children, 'utf8')),
  )
  return `nsenter --target ${child} --net --mount --pid`
}

async function exitCode(child: ChildProcess): Promise<number> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  return child.exitCode ?? 1
}

/**
 * Runs a program of this checkout in new namespaces, with a way out to the machine's network. Resolves with its exit
 * code. With `keep`, it may run for as long as it likes, and the way inside is printed.
 */
export async function runInside(
  parts: Parts,
  program: string,
  input: unknown,
  { keep = false } = {},
): Promise<number> {
  await removeLeftOvers()
  const bin = join(parts.engine, 'usr/bin')
  const flags = ['--net', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc']
  const command = [process.execPath, program, JSON.stringify(input)]
  const [file, args] = tied('unshare', [...flags, '--', join(bin, 'tini'), '--', ...command])
  const inside = spawn(file, args, { stdio: 'inherit' })
  const stop = () => inside.kill('SIGKILL')
  const deadline = keep ? undefined : setTimeout(stop, deadlineMs)
  process.once('SIGINT', stop).once('SIGTERM', stop)
  try {
    const pid = await hasOwnNetwork(inside)
    if (keep) console.log(`to enter: ${await wayInside(inside.pid)}`)
    const options = ['--configure', '--mtu=1500', '--disable-host-loopback', pid, 'tap0']
    const [slirp, slirpArgs] = tied(join(bin, 'slirp4netns'), options)
    const libraries = join(parts.engine, 'usr/lib/x86_64-linux-gnu')
    const network = spawn(slirp, slirpArgs, {
      stdio: ['ignore', 'ignore', 'inherit'],
      env: { ...process.env, LD_LIBRARY_PATH: libraries },
    })
    const code = await exitCode(inside)
    network.kill()
    return code
  } finally {
    clearTimeout(deadline)
    stop()
    await exitCode(inside)
    process.off('SIGINT', stop).off('SIGTERM', stop)
    await removeLeftOvers()
  }
}

/** What the kernel keeps when the namespaces are gone: folders. */
async function removeLeftOvers(): Promise<void> {
  await rm(runFolder, { recursive: true, force: true })
  const hierarchies = await readdir('/sys/fs/cgroup').catch(() => [])
  for (const name of ['.', ...hierarchies]) await removeCgroup(join('/sys/fs/cgroup', name, cgroup))
}

async function removeCgroup(folder: string): Promise<void> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => undefined)
  if (!entries) return
  for (const entry of entries) if (entry.isDirectory()) await removeCgroup(join(folder, entry.name))
  // Processes that were just killed keep it busy for a moment.
  await waitFor(`${folder} to be empty`, () => rmdir(folder).then(() => true))
}
