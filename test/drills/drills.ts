import { buyingDrills } from './buying.ts'
import type { Drill, TestedDrill } from './drill.ts'
import { killDrills } from './kills.ts'
import { messageDrills } from './messages.ts'
import { outsideDrills } from './outside.ts'
import { providerDrills } from './provider.ts'

const numberOf = ({ id }: { id: string }) => Number(id.slice(1))

/** Drills that need a whole shop. */
export const drills: Drill[] = [
  ...killDrills,
  ...messageDrills,
  ...buyingDrills,
  ...outsideDrills,
  ...providerDrills,
].sort((a, b) => numberOf(a) - numberOf(b))

/** Drills of a single module; `npm test` runs them as tests of that module. */
export const testedDrills: TestedDrill[] = [
  {
    id: 'F19',
    about: 'stampede: 1,000 readers of one cold row',
    file: 'shared/cache/read-through.test.ts',
    grep: 'loads a cold row',
  },
  {
    id: 'F20',
    about: 'penetration: 10,000 ids that do not exist',
    file: 'shared/cache/read-through.test.ts',
    grep: 'ids that do not exist',
  },
  {
    id: 'F21',
    about: 'SIGSTOP of a lock holder past its TTL',
    file: 'test/drills/stopped-holder.test.ts',
    grep: '',
  },
  {
    id: 'F25',
    about: 'clocks that step by five minutes',
    file: 'test/drills/clock.test.ts',
    grep: '',
  },
]
