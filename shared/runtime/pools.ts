/** How the places of a pool are used. `waiting`: uses that wait for a place. */
export type PoolUse = { limit: number; open: number; busy: number; waiting: number }

const pools = new Map<string, Set<() => PoolUse>>()

/** Shows a pool of this process in its metrics until it is closed. */
export function watchPool(name: string, read: () => PoolUse): { close(): void } {
  const same = pools.get(name) ?? new Set()
  pools.set(name, same.add(read))
  return {
    close() {
      same.delete(read)
      if (same.size === 0) pools.delete(name)
    },
  }
}

/** The pools of this process by name; pools of one name are added up. */
export function readPools(): Map<string, PoolUse> {
  const sum = (same: Set<() => PoolUse>): PoolUse => {
    const all = [...same].map((read) => read())
    const total = (field: keyof PoolUse) => all.reduce((rest, use) => rest + use[field], 0)
    return {
      limit: total('limit'),
      open: total('open'),
      busy: total('busy'),
      waiting: total('waiting'),
    }
  }
  return new Map([...pools].map(([name, same]) => [name, sum(same)]))
}
