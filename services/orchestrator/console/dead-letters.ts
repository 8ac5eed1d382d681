import type { DeadLettersQuery } from '../../../shared/contracts/console.ts'
import { createPlaces } from '../../../shared/http/admission/places.ts'
import {
  connectDeadLetters,
  DeadLetterError,
  type DeadLetterStore,
} from '../../../shared/kafka/dead-letters.ts'
import { pageOfDeadLetters, showDeadLetter } from '../../../shared/kafka/show-dead-letter.ts'
import { AppError } from '../../../shared/runtime/errors.ts'
import type { Metrics } from '../../../shared/runtime/metrics.ts'

/** Every answer reads the topic as a whole. */
const maxReadings = 4
const readDeadlineMs = 20_000
/** Of a value in an answer. */
const maxValueBytes = 64 * 1_024

type Deps = {
  config: { KAFKA_BROKERS: string[]; KAFKA_TOPIC_PREFIX: string }
  metrics: Pick<Metrics, 'httpShed'>
}
type Place = { partition: string; offset: string }

/** Dead letters for operators. Connects when they are first asked for: most replicas never are. */
export function createDeadLetters({ config, metrics }: Deps) {
  const places = createPlaces({
    what: 'readings of dead letters',
    max: maxReadings,
    perClient: maxReadings / 2,
    refused: metrics.httpShed.labels('dead_letters'),
  })
  let connecting: Promise<DeadLetterStore> | undefined

  function connect(): Promise<DeadLetterStore> {
    connecting ??= connectDeadLetters(config.KAFKA_BROKERS, config.KAFKA_TOPIC_PREFIX, {
      readDeadlineMs,
    }).catch((cause: unknown) => {
      connecting = undefined
      throw new AppError('unavailable', 'Kafka does not answer', { cause })
    })
    return connecting
  }

  async function use<T>(
    operator: string,
    work: (store: DeadLetterStore) => Promise<T>,
  ): Promise<T> {
    using _place = places.take(operator)
    const store = await connect()
    try {
      return await work(store)
    } catch (cause) {
      if (cause instanceof DeadLetterError) {
        throw new AppError(cause.kind, cause.message, { cause })
      }
      throw new AppError('unavailable', 'the dead letters cannot be read now', { cause })
    }
  }

  const idOf = ({ partition, offset }: Place) => `dead-letters/${partition}/${offset}`
  const show = (found: Awaited<ReturnType<DeadLetterStore['find']>>) =>
    showDeadLetter(found, { maxValueBytes })

  return {
    list: (
      operator: string,
      { state, limit, topic, purchase_id, cursor, ...time }: DeadLettersQuery,
    ) =>
      use(operator, async (store) => {
        const found = await store.list({
          state,
          ...(time.created_from && { from: new Date(time.created_from) }),
          ...(time.created_to && { to: new Date(time.created_to) }),
          ...(topic && { topic }),
          ...(purchase_id && { purchaseId: purchase_id }),
          ...(cursor && { after: cursor }),
        })
        return pageOfDeadLetters(found, limit)
      }),

    find: (operator: string, place: Place) =>
      use(operator, async (store) => show(await store.find(idOf(place)))),

    replay: (
      operator: string,
      place: Place,
      { note, again }: { note?: string | undefined; again: boolean },
    ) =>
      use(operator, async (store) =>
        show(await store.replay(idOf(place), { note: note ?? '', again, operator })),
      ),

    discard: (operator: string, place: Place, note: string) =>
      use(operator, async (store) => show(await store.discard(idOf(place), note, operator))),

    async close(): Promise<void> {
      const store = await connecting?.catch(() => undefined)
      await store?.close()
    },
  }
}

export type DeadLetters = ReturnType<typeof createDeadLetters>
