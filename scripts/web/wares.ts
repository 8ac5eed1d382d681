import sharp from 'sharp'
import { registerCustomer } from '../stack/shop-client.ts'

/** What a shop sells that is shown or measured. `shape` is drawn in a field of 200 by 200. */
type Ware = { name: string; brand: string; price: number } & Drawing
type Drawing = { hue: number; shape: string }

const teapot =
  '<path d="M60 90h76c10 0 14 8 12 22-3 26-20 42-50 42s-47-16-50-42c-2-14 2-22 12-22z"/><path d="M66 84c6-14 18-20 32-20s26 6 32 20z"/><circle cx="98" cy="58" r="7"/><path class="line" d="M148 104c26-6 30 32-6 32M48 118c-14-2-16-20-26-28"/>'
const cup =
  '<path d="M58 78h76l-6 52c-2 14-12 22-32 22s-30-8-32-22z"/><path class="line" d="M132 92c24-4 26 32-4 32M76 64c-6-8 6-12 0-20M96 64c-6-8 6-12 0-20M116 64c-6-8 6-12 0-20"/>'
const bowl =
  '<path d="M38 86h124c0 38-24 62-48 66v10H86v-10c-24-4-48-28-48-66z"/><path class="line" d="M60 74c20-8 60-8 80 0"/>'
const vase =
  '<path d="M86 36h28l-4 26c22 14 32 34 32 56 0 26-18 44-42 44s-42-18-42-44c0-22 10-42 32-56z"/><path class="line" d="M66 104h68M64 122h72"/>'
const plate =
  '<circle cx="100" cy="100" r="64"/><circle class="line" cx="100" cy="100" r="40"/><circle class="line" cx="100" cy="100" r="52"/>'
const jug =
  '<path d="M66 48l72-8-10 32c14 16 18 36 14 56-4 22-20 34-44 34s-40-12-44-34c-4-22 2-40 16-54z"/><path class="line" d="M136 78c32-8 34 48 4 44"/>'
const lamp =
  '<path d="M72 40h56l26 62H46z"/><path d="M94 102h12v44h26v14H68v-14h26z"/><path class="line" d="M130 102v22"/>'
const candle =
  '<path d="M76 84h48v62H76zM58 146h84v14H58z"/><path d="M100 34c14 18 16 34 0 42-16-8-14-24 0-42z"/>'

export const wares: Ware[] = [
  { name: 'Candle, beeswax', brand: 'Hội An', price: 60_000, hue: 40, shape: candle },
  { name: 'Lamp, paper and oak', brand: 'Hội An', price: 890_000, hue: 265, shape: lamp },
  { name: 'Jug, celadon', brand: 'Bát Tràng', price: 320_000, hue: 150, shape: jug },
  { name: 'Plate, blue rings', brand: 'Bát Tràng', price: 180_000, hue: 215, shape: plate },
  { name: 'Vase, iron glaze', brand: 'Thanh Hà', price: 540_000, hue: 12, shape: vase },
  { name: 'Bowl for pho', brand: 'Thanh Hà', price: 125_000, hue: 190, shape: bowl },
  { name: 'Cup, ash glaze', brand: 'Thanh Hà', price: 95_000, hue: 90, shape: cup },
  { name: 'Teapot, six cups', brand: 'Bát Tràng', price: 450_000, hue: 330, shape: teapot },
]

/** What the demo sells. */
export const phoneDrawing: Drawing = {
  hue: 210,
  shape:
    '<rect x="66" y="32" width="68" height="132" rx="12"/><rect class="line" x="76" y="46" width="48" height="98" rx="3"/><circle class="line" cx="100" cy="154" r="2"/>',
}

/** A drawing, as a seller would upload a photograph. */
export function draw({ hue, shape }: Drawing): Promise<Buffer> {
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 200 200" width="800" height="800">
<defs><radialGradient id="g" cy="0.35"><stop stop-color="hsl(${hue} 55% 92%)"/><stop offset="1" stop-color="hsl(${hue} 40% 76%)"/></radialGradient></defs>
<style>.line{fill:none;stroke:hsl(${hue} 35% 52%);stroke-width:7;stroke-linecap:round}</style>
<rect width="200" height="200" fill="url(#g)"/>
<ellipse cx="100" cy="166" rx="60" ry="8" fill="hsl(${hue} 30% 60%)" opacity="0.4"/>
<g fill="hsl(${hue} 45% 42%)">${shape}</g>
</svg>`
  return sharp(Buffer.from(svg)).png().toBuffer()
}

/** Puts the wares into a shop, each with its picture. Answers the ids of the products. */
export async function sellWares(api: string): Promise<string[]> {
  const seller = await registerCustomer(api)
  const category = await seller.createCategory('Tableware')
  const ids: string[] = []
  for (const ware of wares) {
    const { name, brand, price } = ware
    const product = await seller.createProduct({
      category_id: category.id,
      ...{ name, description: name, brand_name: brand, price, inventory: 40 },
    })
    await seller.addPicture(product.id, `A drawing: ${name}`, await draw(ware))
    ids.push(product.id)
  }
  return ids
}
