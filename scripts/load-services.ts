import { serviceNames } from './service-env.ts'

// Loads the program of every service and starts none, so that Node keeps what it compiled on the way.
for (const name of serviceNames) await import(`../services/${name}/main.ts`)
process.exit(0)
