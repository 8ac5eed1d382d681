import { computed, signal } from '@preact/signals'

/** What a basket remembers of a product; its price is that of today when the basket is shown. */
export type BasketLine = { id: string; quantity: number }

const key = 'basket'
/** The most lines that a purchase takes. */
const maxLines = 100

function read(): BasketLine[] {
  try {
    const stored: unknown = JSON.parse(localStorage.getItem(key) ?? '[]')
    return Array.isArray(stored) ? stored.filter(isLine).slice(0, maxLines) : []
  } catch {
    return []
  }
}

function isLine(line: unknown): line is BasketLine {
  const { id, quantity } = (line ?? {}) as BasketLine
  return typeof id === 'string' && Number.isInteger(quantity) && quantity > 0
}

export const basket = signal<BasketLine[]>(read())
export const basketCount = computed(() =>
  basket.value.reduce((sum, { quantity }) => sum + quantity, 0),
)

function write(lines: BasketLine[]): void {
  basket.value = lines
  localStorage.setItem(key, JSON.stringify(lines))
}

/** Sets how many of a product are in the basket; 0 removes it. False when the basket takes no more lines. */
export function setQuantity(id: string, quantity: number): boolean {
  const others = basket.value.filter((line) => line.id !== id)
  if (quantity > 0 && others.length >= maxLines) return false
  const at = basket.value.findIndex((line) => line.id === id)
  if (quantity <= 0) write(others)
  else if (at < 0) write([...others, { id, quantity }])
  else write(basket.value.map((line) => (line.id === id ? { id, quantity } : line)))
  return true
}

export function addToBasket(id: string, quantity: number): boolean {
  const before = basket.value.find((line) => line.id === id)?.quantity ?? 0
  return setQuantity(id, before + quantity)
}

export function emptyBasket(): void {
  write([])
}

// Another tab has changed it.
addEventListener('storage', (event) => {
  if (event.key === key) basket.value = read()
})
