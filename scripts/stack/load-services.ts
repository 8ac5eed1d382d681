import { serviceNames } from './services.ts'

// Loads the program of every service and of the simulated provider and starts none, so that Node keeps what it
// compiled on the way.
for (const name of serviceNames) await import(`../../services/${name}/main.ts`)
await import('../../provider/main.ts')
process.exit(0)
