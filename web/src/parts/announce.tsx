import { signal } from '@preact/signals'

const message = signal('')

/** Tells a screen reader of a change that a sighted reader sees. */
export function announce(text: string): void {
  message.value = text
}

export function Announcements() {
  return (
    <p class="visually-hidden" role="status" aria-live="polite">
      {message}
    </p>
  )
}
