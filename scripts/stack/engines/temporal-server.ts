import { cp, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { cached } from '../cache.ts'
import type { Log } from '../log.ts'
import { run } from '../run-command.ts'
import { goInstall, goSource } from './go.ts'

/** Temporal's server and the tool that makes its database, with what their images contain besides. */
export function buildTemporalServer(version: string, log: Log): Promise<string> {
  return cached(`temporal-server-${version}`, log, async (dir) => {
    log("Temporal's server is built from source: 5 to 10 minutes, once per machine")
    const module = 'go.temporal.io/server'
    await goInstall(`${module}/cmd/server@v${version}`, dir, log)
    await goInstall(`${module}/cmd/tools/sql@v${version}`, dir, log)
    await rename(join(dir, 'bin/server'), join(dir, 'temporal-server'))
    await rename(join(dir, 'bin/sql'), join(dir, 'temporal-sql-tool'))
    const source = await goSource(`${module}@v${version}`, log)
    const schema = 'schema/postgresql/v12'
    await cp(join(source, schema), join(dir, schema), { recursive: true })
    await cp(join(source, 'docker/scripts/sh/entrypoint.sh'), join(dir, 'entrypoint.sh'))
    await run('chmod', ['-R', 'u+w', dir])
  })
}

export function buildTemporalUi(version: string, log: Log): Promise<string> {
  return cached(`temporal-ui-${version}`, log, async (dir) => {
    const module = 'github.com/temporalio/ui-server/v2'
    await goInstall(`${module}/cmd/server@v${version}`, dir, log)
    await rename(join(dir, 'bin/server'), join(dir, 'ui-server'))
    const source = await goSource(`${module}@v${version}`, log)
    await cp(join(source, 'config/docker.yaml'), join(dir, 'docker.yaml'))
    await cp(join(source, 'docker/start-ui-server.sh'), join(dir, 'start-ui-server.sh'))
    await run('chmod', ['-R', 'u+w', dir])
  })
}
