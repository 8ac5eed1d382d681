import { readFile } from 'node:fs/promises'
import { run } from '../../scripts/stack/run-command.ts'

const programs = ['apt-get', 'dpkg', 'unshare', 'mount', 'tar', 'wget', 'gpgv', 'npm']

/** What this machine lacks to run Docker Engine from Debian's packages; empty if it can. */
export async function missingRequirements(): Promise<string[]> {
  const missing: string[] = []
  if (process.platform !== 'linux' || process.arch !== 'x64') missing.push('Linux on x86-64')
  if (process.getuid?.() !== 0) missing.push('root')
  const release = await readFile('/etc/os-release', 'utf8').catch(() => '')
  if (!/^(ID|ID_LIKE)=.*debian/m.test(release)) missing.push('Debian')
  for (const name of programs) {
    const found = await run('sh', ['-c', `command -v ${name}`]).catch(() => '')
    if (!found) missing.push(name)
  }
  const tun = await readFile('/proc/misc', 'utf8').catch(() => '')
  if (!/ tun$/m.test(tun)) missing.push('the device /dev/net/tun')
  const filesystems = await readFile('/proc/filesystems', 'utf8').catch(() => '')
  if (!/\toverlay$/m.test(filesystems)) missing.push('the file system overlay')
  return missing
}
