import type { EmailRequested } from '../../shared/contracts/mail.ts'
import type { Sql } from '../../shared/database/sql.ts'
import { addToOutbox } from '../../shared/messaging/outbox.ts'

/** Stores e-mails; returns the keys of the new ones. */
export function addMails(tx: Sql, mails: EmailRequested[]): Promise<Set<string>> {
  const entries = mails.map((mail) => ({ key: mail.key, body: mail }))
  return addToOutbox(tx, 'emailRequested', entries)
}
