import type { CommandHandlers } from '../../shared/participant.ts'
import type { PaymentService } from './service.ts'

export function createCommandHandlers(
  service: PaymentService,
): CommandHandlers<'payment-commands'> {
  return { takePayment: service.takePayment, refundPayment: service.refundPayment }
}
