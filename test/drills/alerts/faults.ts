import { acceptingFaults } from './accepting.ts'
import type { AlertFault } from './fault.ts'
import { loadFaults } from './load.ts'
import { messageFaults } from './messages.ts'
import { processFaults } from './processes.ts'
import { sagaFaults } from './sagas.ts'

/**
 * In the order of the drill: what needs a share of all purchases comes before many purchases, and a burst comes last,
 * since it ends late, too. Before each fault its alerts must be silent again.
 */
export const faults: AlertFault[] = [
  ...acceptingFaults,
  ...sagaFaults,
  ...messageFaults,
  ...processFaults,
  ...loadFaults,
]
