import { startOfDay } from '../parts/days.ts'

/** Days as their inputs have them, the last one included; empty for every day. */
export type Days = { from: string; to: string }
export const everyDay: Days = { from: '', to: '' }

/** What of a query narrows a list to those days. */
export function timeOf({ from, to }: Days): { created_from?: string; created_to?: string } {
  const created_from = startOfDay(from)
  const created_to = startOfDay(to, 1)
  return { ...(created_from && { created_from }), ...(created_to && { created_to }) }
}

/** While a year is typed, it is 0002, then 0020. */
const firstDay = '2000-01-01'

export function DayFields({ days, onChange }: { days: Days; onChange: (days: Days) => void }) {
  const field = (name: keyof Days, label: string) => (
    <div class="field">
      <label for={`day-${name}`}>{label}</label>
      <input
        id={`day-${name}`}
        type="date"
        min={firstDay}
        value={days[name]}
        onChange={({ currentTarget: { value, validity } }) => {
          if (validity.valid) onChange({ ...days, [name]: value })
        }}
      />
    </div>
  )
  return (
    <>
      {field('from', 'From')}
      {field('to', 'To')}
    </>
  )
}
