import assert from 'node:assert/strict'
import { faults } from './faults.ts'
import { readAlertNames } from './rules.ts'

describe('the faults of the drill', () => {
  it('fire each alert of the project, each by one of them', async () => {
    const fired = faults.flatMap(({ alerts, afterwards = [] }) => [...alerts, ...afterwards])

    assert.deepEqual(fired.toSorted(), (await readAlertNames()).toSorted())
  })
})
