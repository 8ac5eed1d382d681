import { connectRepository } from '../../services/payment/repository.ts'
import { createTestDatabase } from './database.ts'
import { startTestProvider } from './provider.ts'

/** A database of payments with the repository on it, and a simulated provider. */
export async function openPaymentDatabase() {
  await using opening = new AsyncDisposableStack()
  const database = opening.adopt(await createTestDatabase('payment'), (open) => open.close())
  const config = { DATABASE_URL: database.url, DATABASE_POOL_SIZE: 10 }
  const repository = opening.adopt(await connectRepository(config), (open) => open.close())
  const simulator = opening.adopt(await startTestProvider(), (open) => open.close())
  const opened = opening.move()
  return { database, repository, simulator, close: () => opened.disposeAsync() }
}
