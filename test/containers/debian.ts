import { rm, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { cached } from '../../scripts/stack/cache.ts'
import { debianKeyring, debianMirror, unpackDebian } from '../../scripts/stack/debian-packages.ts'
import type { Log } from '../../scripts/stack/log.ts'
import { run } from '../../scripts/stack/run-command.ts'

/** The release that the images of docker-compose.yml are made of, and the first whose Docker Engine is new enough. */
const baseRelease = 'bookworm'
const engineRelease = 'trixie'

/** Docker Engine, and what it needs to run as root in a network of its own. `runc` must fit the older C library. */
const packages = {
  [engineRelease]: ['docker.io', 'docker-cli', 'docker-buildx', 'containerd'],
  [baseRelease]: [
    ...['runc', 'tini', 'slirp4netns', 'libslirp0', 'libseccomp2', 'debootstrap', 'iptables'],
    ...['libip4tc2', 'libip6tc2', 'libxtables12', 'libmnl0', 'libnftnl11', 'libnfnetlink0'],
    'libnetfilter-conntrack3',
  ],
}

/** Debian's packages, unpacked into the cache: the machine's own are not changed. */
export async function enginePackages(log: Log): Promise<string> {
  return cached('docker-engine-26.1-1', log, async (dir) => {
    await unpackDebian(dir, packages)
    // Each is one program that acts by its name.
    for (const name of ['iptables', 'ip6tables']) {
      const link = join(dir, 'usr/sbin', name)
      await rm(link, { force: true })
      await symlink('xtables-nft-multi', link)
    }
  })
}

/** What the published slim image of Debian does not have either, and what a container makes itself. */
const leftOut = [
  ...['dev/*', 'var/cache/apt/*', 'var/lib/apt/*/*'],
  ...['locale', 'doc', 'man', 'info'].map((name) => `usr/share/${name}/*`),
].map((path) => `--exclude=./${path}`)

/** A tar file with the least Debian that packages can be installed in. Its certificates are this machine's. */
export async function baseSystem(engine: string, log: Log): Promise<string> {
  const dir = await cached(`debian-${baseRelease}-2`, log, async (fresh) => {
    const root = join(fresh, 'root')
    const options = ['--variant=minbase', '--include=ca-certificates', `--keyring=${debianKeyring}`]
    const env = { DEBOOTSTRAP_DIR: join(engine, 'usr/share/debootstrap') }
    const program = join(engine, 'usr/sbin/debootstrap')
    await run(program, [...options, baseRelease, root, await debianMirror()], { env })
    await rm(join(root, 'etc/resolv.conf'), { force: true })
    await run('cp', ['/etc/ssl/certs/ca-certificates.crt', join(root, 'etc/ssl/certs/')])
    await run('tar', [...leftOut, '-C', root, '-cf', join(fresh, 'base.tar'), '.'])
    await rm(root, { recursive: true })
  })
  return join(dir, 'base.tar')
}
