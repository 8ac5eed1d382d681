import assert from 'node:assert/strict'
import { setImmediate as turn } from 'node:timers/promises'
import { createLobby } from './lobby.ts'

describe('the lobby of a server', () => {
  it('lets a request through at once when no connection has come', () => {
    const { enter } = createLobby()
    let begun = false
    enter(() => {
      begun = true
    })

    assert.ok(begun)
  })

  it('keeps requests as long as each turn brings a connection, in their order', async () => {
    const lobby = createLobby(() => 0)
    const begun: number[] = []
    lobby.connected()
    lobby.enter(() => begun.push(1))
    for (let turns = 0; turns < 10; turns++) {
      lobby.connected()
      await turn()
    }
    lobby.enter(() => begun.push(2))
    const before = [...begun]
    for (let turns = 0; turns < 3; turns++) await turn()

    assert.deepEqual(before, [])
    assert.deepEqual(begun, [1, 2])
  })

  it('keeps no request for long, however many connections come', async () => {
    let now = 0
    const lobby = createLobby(() => now)
    let begun = false
    lobby.connected()
    lobby.enter(() => {
      begun = true
    })
    await turn()
    now = 50
    lobby.connected()
    for (let turns = 0; turns < 3; turns++) await turn()

    assert.ok(begun)
  })
})
