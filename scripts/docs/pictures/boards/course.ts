/** What a picture shows of a board. */
export const pictureOf = (file: string) => `board-${file}.webp`

/** What happens in a shop while its boards are watched. `at` is in seconds since the pictures begin. */
export const course = {
  /** Before the pictures begin, so that a range of five minutes is full from then on. */
  warmUpSeconds: 300,
  seconds: 360,
  /** How many times more often than usual Prometheus reads, */
  timesFaster: 3,
  /** which is this often, as is a point of a line. */
  stepSeconds: 5,
  perSecond: 2,
  /** Of so many payments, one is declined. */
  declinedOneIn: 8,
  kill: { at: 40, seconds: 20 },
  slow: { at: 120, seconds: 45, ms: 1_500 },
  rush: { at: 220, buyers: 120, units: 40 },
} as const

/** Of purchase, so small that a rush meets them. */
export const limits = {
  MAX_IN_FLIGHT: '24',
  MAX_UNFINISHED_PER_CUSTOMER: '12',
  MAX_STARTED_PER_CUSTOMER: '4',
} as const

type Happening = 'kill' | 'slow' | 'rush'

/** Each with the name that it has in the pictures. */
export const happenings: Record<Happening, { mark: string; what: string }> = {
  kill: {
    mark: 'A',
    what: `payment is killed, stays down for ${course.kill.seconds} s, and starts again`,
  },
  slow: { mark: 'B', what: `the payment provider answers ${course.slow.ms / 1_000} s late` },
  rush: {
    mark: 'C',
    what: `${course.rush.buyers} buyers want one of ${course.rush.units} units at once`,
  },
}
