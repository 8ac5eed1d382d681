import type { OperatorActed } from '../../shared/contracts/events.ts'
import type { Repository } from './repository.ts'

/** What operators did to purchases, and sweeps in their place. */
export function createAudit(repository: Pick<Repository, 'addAction' | 'listActions'>) {
  return {
    /** Stores an action once, however often it is delivered. */
    add: (acted: OperatorActed): Promise<void> => repository.addAction(acted),

    /** All actions on a purchase, oldest first. */
    async list(purchaseId: string) {
      const rows = await repository.listActions(purchaseId)
      return {
        items: rows.map(({ actionId, operator, action, step, note, at }) => ({
          action_id: actionId,
          operator,
          action: action as OperatorActed['action'],
          step,
          note,
          at: at.toISOString(),
        })),
      }
    },
  }
}
