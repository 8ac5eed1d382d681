import type { CommandHandlers } from '../../shared/messaging/command-handler.ts'
import type { RefundSteps } from './refund-steps.ts'
import type { PaymentService } from './service.ts'

export function createCommandHandlers(
  service: PaymentService,
  { returnMoney, closeRefund }: RefundSteps,
): CommandHandlers<'payment-commands'> {
  return {
    takePayment: service.takePayment,
    refundPayment: service.refundPayment,
    returnMoney,
    closeRefund,
  }
}
