import { registerCustomer } from '../../../scripts/stack/shop-client.ts'
import { newId } from '../../../shared/contracts/ids.ts'
import { connectRawProducer } from '../../../shared/kafka/raw-messages.ts'
import { type AlertFault, takeDown, untilOver } from './fault.ts'

export const messageFaults: AlertFault[] = [
  {
    what: 'a message that nobody can read is sent to mail',
    alerts: ['MessageDeadLettered'],
    async run(rig, over) {
      const producer = await connectRawProducer(rig.stack.urls.kafkaBrokers)
      await producer.send('emails', { key: newId(), value: 'garbage', headers: { name: 'any' } })
      await producer.close()
      await untilOver(over)
    },
  },
  {
    what: 'Kafka is killed and stays down, and a customer registers',
    alerts: ['OutboxWaits', 'ConsumerLagUnknown'],
    async run(rig, over) {
      const down = takeDown(rig, 'kafka', over)
      await registerCustomer(rig.stack.urls.api)
      await down
    },
  },
]
