/*
 * The step registry. No imports here: workflow code uses it.
 */

type StepSpec = {
  /** The activity id, the second half of the command id, and the name in the purchase's progress. On the wire. */
  step: string
  /** The service that does and undoes the step; it reads the topic `<participant>-commands`. */
  participant: string
  /** Where the reply stands in the purchase's progress. On the wire; the gaps are for steps to come. */
  sequence: number
  /** Whether the step leaves something that its participant settles when the purchase has ended. */
  settles: boolean
  /** What takes the step back. It is registered before the step runs. */
  undo: { command: string; step: string; sequence: number }
}

/**
 * Every step of the purchase saga, by the name of its command and activity, in the order in which the steps are taken.
 * Undos run in the reverse order. Commands, topics, activities, handlers, progress and documents follow from this
 * table: a step that one of them does not know fails to compile, or fails a named test
 * (test/architecture/step-registry.test.ts).
 */
export const sagaSteps = {
  reserveStock: {
    step: 'reserve-stock',
    participant: 'product',
    sequence: 10,
    settles: true,
    undo: { command: 'releaseStock', step: 'release-stock', sequence: 60 },
  },
  createOrder: {
    step: 'create-order',
    participant: 'order',
    sequence: 20,
    settles: true,
    undo: { command: 'cancelOrder', step: 'cancel-order', sequence: 50 },
  },
  takePayment: {
    step: 'take-payment',
    participant: 'payment',
    sequence: 30,
    settles: false,
    undo: { command: 'refundPayment', step: 'refund-payment', sequence: 40 },
  },
} as const satisfies Record<string, StepSpec>

type ForwardSpec = {
  /** As above. On the wire. */
  step: string
  participant: string
  /** Whether the participant may say no for good. */
  refusable: boolean
}

/**
 * Every step of the refund saga, in the order in which the steps are taken. None has an undo: money that was returned
 * cannot be taken back, so each step is repeated until it is done or an operator decides. Only the first may be
 * refused, and its `done` is the commit point. `closeRefund` stores how the refund ended, and refuses a late
 * `returnMoney` of one that an operator resolved.
 */
export const refundSteps = {
  returnMoney: { step: 'return-money', participant: 'payment', refusable: true },
  returnStock: { step: 'return-stock', participant: 'product', refusable: false },
  closeRefund: { step: 'close-refund', participant: 'payment', refusable: false },
} as const satisfies Record<string, ForwardSpec>

type Steps = typeof sagaSteps
type RefundSteps = typeof refundSteps

/** The commands that go forward, and so may be refused. */
export type DoName = keyof Steps
/** The commands that take a step back, and so may not. */
export type UndoName = Steps[DoName]['undo']['command']
/** The commands of the purchase saga. */
export type CommandName = DoName | UndoName
/** The commands of the refund saga. */
export type RefundCommandName = keyof RefundSteps
/** Every command on the wire, of each saga. */
export type AnyCommandName = CommandName | RefundCommandName

export type Participant = Steps[DoName]['participant']
export type CommandTopic = `${Participant}-commands`

/** The do that an undo takes back. */
export type DoOf<U extends UndoName> = {
  [N in DoName]: U extends Steps[N]['undo']['command'] ? N : never
}[DoName]

type ParticipantOf<N extends AnyCommandName> = N extends DoName
  ? Steps[N]['participant']
  : N extends UndoName
    ? Steps[DoOf<N>]['participant']
    : N extends RefundCommandName
      ? RefundSteps[N]['participant']
      : never

/** The commands that one participant's topic carries; the rest of the table is other services' work. */
export type CommandsOn<T extends CommandTopic> = {
  [N in AnyCommandName]: `${ParticipantOf<N>}-commands` extends T ? N : never
}[AnyCommandName]

/** The steps on one participant's topic that the end of a purchase settles. */
export type SettledOn<T extends CommandTopic> = {
  [N in DoName & CommandsOn<T>]: Steps[N]['settles'] extends true ? N : never
}[DoName & CommandsOn<T>]

export type CommandInfo = {
  step: string
  participant: Participant
  topic: CommandTopic
  sequence: number
  /** Set on an undo: the command that it undoes. */
  undoes?: DoName
}

/** What every command has. */
export type StepInfo = Pick<CommandInfo, 'step' | 'participant' | 'topic'>

/** The steps in the order in which they are taken. */
export const doNames = Object.keys(sagaSteps) as DoName[]

/** What takes a step back. */
export const undoOf = Object.fromEntries(
  doNames.map((name) => [name, sagaSteps[name].undo.command]),
) as { [N in DoName]: Steps[N]['undo']['command'] }

/** What an undo takes back. */
export const doOf = Object.fromEntries(doNames.map((name) => [undoOf[name], name])) as {
  [U in UndoName]: DoOf<U>
}

/** Each command as a step: dos in the order in which they are taken, then undos in theirs. */
export const commandSteps = Object.fromEntries([
  ...doNames.map((name) => {
    const { step, participant, sequence } = sagaSteps[name]
    return [name, { step, participant, topic: `${participant}-commands`, sequence }]
  }),
  ...doNames.toReversed().map((name) => {
    const { participant, undo } = sagaSteps[name]
    const { command, step, sequence } = undo
    return [
      command,
      { step, participant, topic: `${participant}-commands`, sequence, undoes: name },
    ]
  }),
]) as Record<CommandName, CommandInfo>

export const commandNames = Object.keys(commandSteps) as CommandName[]

export const refundCommandNames = Object.keys(refundSteps) as RefundCommandName[]

export const anyCommandNames: AnyCommandName[] = [...commandNames, ...refundCommandNames]

/** What every command has, of whichever saga. */
export const anyCommandSteps = Object.fromEntries(
  anyCommandNames.map((name) => {
    const { step, participant } = isOfPurchase(name) ? commandSteps[name] : refundSteps[name]
    return [name, { step, participant, topic: `${participant}-commands` }]
  }),
) as Record<AnyCommandName, StepInfo>

/** The services that take the steps. */
export const participants = [...new Set(doNames.map((name) => sagaSteps[name].participant))]

/** The topics that carry commands, one for each participant. */
export const commandTopics = participants.map((name) => `${name}-commands` as const)

/** Whether a command takes a step back: it needs nothing but the purchase, and may not be refused. */
export function isUndo(name: AnyCommandName): name is UndoName {
  return isOfPurchase(name) && commandSteps[name].undoes !== undefined
}

/** Whether a command belongs to the purchase saga, and its reply to the progress of a purchase. */
export function isOfPurchase(name: AnyCommandName): name is CommandName {
  return Object.hasOwn(commandSteps, name)
}

/** Whether a command goes forward within a time limit, and is refused when it cannot be handled. */
export function isDo(name: AnyCommandName): name is DoName {
  return Object.hasOwn(sagaSteps, name)
}
