import { firstDay } from '../parts/days.ts'

/** Days as their inputs have them, the last one included; empty for every day. */
export type Days = { from: string; to: string }
export const everyDay: Days = { from: '', to: '' }

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
