import type { Settings } from './faults.ts'

/** Sets what a simulated provider does wrong on demand, and says how often it did what was set before. */
export async function setFaults(
  { url, key }: { url: string; key: string },
  settings: Settings,
): Promise<Record<string, number>> {
  const headers = { authorization: `Bearer ${key}` }
  const before = await fetch(`${url}/simulator`, { headers })
  const { made } = (await before.json()) as { made: Record<string, number> }
  const body = JSON.stringify(settings)
  const response = await fetch(`${url}/simulator`, { method: 'POST', headers, body })
  if (!response.ok) throw new Error(`the faults were refused: ${await response.text()}`)
  return made
}
