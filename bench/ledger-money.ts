import type { LedgerRow } from './provider-ledger.ts'

/** What the provider has captured and not given back, in minor units, by the reference of the charge. */
export function keptMoney(ledger: LedgerRow[]): Map<string, bigint> {
  const kept = new Map<string, bigint>()
  for (const { reference, kind, amount } of ledger) {
    const sign = kind === 'CAPTURE' ? 1n : kind === 'REFUND' ? -1n : 0n
    kept.set(reference, (kept.get(reference) ?? 0n) + sign * BigInt(amount))
  }
  return kept
}

/** The references under which the provider still has money of the customer. */
export function keptReferences(ledger: LedgerRow[]): string[] {
  return [...keptMoney(ledger)].filter(([, kept]) => kept > 0n).map(([reference]) => reference)
}
