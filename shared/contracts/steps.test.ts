import assert from 'node:assert/strict'
import {
  anyCommandNames,
  anyCommandSteps,
  commandNames,
  commandSteps,
  doNames,
  doOf,
  isUndo,
  refundCommandNames,
  sagaSteps,
  undoOf,
} from './steps.ts'

describe('the step registry', () => {
  const sequencesOf = (names: readonly (keyof typeof commandSteps)[]) =>
    names.map((name) => commandSteps[name].sequence)

  it('lists the dos in the order of the saga, then the undos in the reverse order', () => {
    const undos = doNames.map((name) => undoOf[name]).reverse()

    assert.deepEqual(commandNames, [...doNames, ...undos])
    assert.deepEqual(commandNames.filter(isUndo), undos)
  })

  it('gives each step a place of its own in the progress, in that order', () => {
    const sequences = sequencesOf(commandNames)

    assert.deepEqual(
      sequences,
      sequences.toSorted((a, b) => a - b),
    )
    assert.equal(new Set(sequences).size, commandNames.length)
  })

  it('names each step as its command, in kebab case, and no two alike', () => {
    for (const name of anyCommandNames) {
      const kebab = name.replace(/[A-Z]/g, (capital) => `-${capital.toLowerCase()}`)
      assert.equal(anyCommandSteps[name].step, kebab)
    }
    assert.equal(new Set(commandNames).size, 2 * Object.keys(sagaSteps).length)
  })

  it('has the steps of refunds beside those of purchases, and none of them is an undo', () => {
    assert.deepEqual(anyCommandNames, [...commandNames, ...refundCommandNames])
    assert.equal(
      new Set(anyCommandNames.map((name) => anyCommandSteps[name].step)).size,
      anyCommandNames.length,
    )
    assert.deepEqual(refundCommandNames.filter(isUndo), [])
    for (const name of commandNames) {
      const { step, participant, topic } = commandSteps[name]
      assert.deepEqual(anyCommandSteps[name], { step, participant, topic })
    }
  })

  it('leads from a do to its undo and back', () => {
    for (const name of doNames) {
      const undo = undoOf[name]
      assert.equal(doOf[undo], name)
      assert.equal(commandSteps[undo].undoes, name)
      assert.equal(commandSteps[undo].topic, commandSteps[name].topic)
    }
  })
})
