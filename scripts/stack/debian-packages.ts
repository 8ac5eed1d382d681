import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { run } from './run-command.ts'

export const debianKeyring = '/usr/share/keyrings/debian-archive-keyring.gpg'

/** Where this machine gets Debian's packages from. */
export async function debianMirror(): Promise<string> {
  const format = '$(COMPONENT) $(REPO_URI)'
  const lines = await run('apt-get', ['indextargets', '--format', format, 'ShortDesc: Packages'])
  const found = /^main (\S+\/debian\/?)$/m.exec(lines)?.[1]
  if (!found) throw new Error('apt has no source of Debian with the component main')
  return found
}

/** Unpacks packages of Debian's releases into a folder. What is installed on the machine is not changed. */
export async function unpackDebian(dir: string, packages: Record<string, string[]>): Promise<void> {
  const uri = await debianMirror()
  const lists = join(dir, 'lists')
  const debs = join(dir, 'debs')
  await mkdir(join(lists, 'partial'), { recursive: true })
  await mkdir(debs)
  const sources = join(dir, 'sources.list')
  const source = (name: string) => `deb [signed-by=${debianKeyring}] ${uri} ${name} main\n`
  await writeFile(sources, Object.keys(packages).map(source).join(''))
  const settings = {
    'Dir::Etc::sourcelist': sources,
    'Dir::Etc::sourceparts': '/dev/null',
    'Dir::State::Lists': lists,
    'Dir::Cache': join(dir, 'cache'),
    'Acquire::Languages': 'none',
    'Acquire::IndexTargets::deb::DEP-11::DefaultEnabled': 'false',
    // Root would otherwise download as a user who may not write here.
    'APT::Sandbox::User': '',
  }
  const options = Object.entries(settings).flatMap(([name, value]) => ['-o', `${name}=${value}`])
  const names = Object.entries(packages).flatMap(([release, each]) =>
    each.map((name) => `${name}/${release}`),
  )
  await run('apt-get', [...options, '--quiet', 'update'])
  await run('apt-get', [...options, '--quiet', 'download', ...names], { cwd: debs })
  await run('sh', ['-euc', `for each in *.deb; do dpkg -x "$each" ${dir}; done`], { cwd: debs })
  for (const name of ['lists', 'debs', 'cache']) {
    await rm(join(dir, name), { recursive: true, force: true })
  }
}
