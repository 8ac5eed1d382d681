import { PrismaClient } from '../../prisma/media/client/client.ts'
import { connectDatabase, type DatabaseConfig, databaseAnswers } from '../../shared/prisma.ts'

export async function connectRepository(config: DatabaseConfig) {
  const prisma = await connectDatabase(PrismaClient, config)

  return {
    answers: () => databaseAnswers(prisma),
    close: () => prisma.$disconnect(),
  }
}
