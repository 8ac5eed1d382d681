import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Media } from '../../shared/contracts/media.ts'
import { waitFor } from '../../shared/runtime/wait-for.ts'
import { curl, fillIn } from '../helpers/curl.ts'
import { codeIn, waitForMails } from '../helpers/mailbox.ts'
import { imageFile, mp4File } from '../helpers/media-files.ts'

const authorization = `--header 'Authorization: Bearer <access_token>'`

/** The commands as they were first written down for this shop, placeholders and all. */
const commands = {
  register: String.raw`curl --location 'http://localhost/api/v1/account/register' \
--header 'Content-Type: application/json' \
--data-raw '{
    "email": "deptrai@gmail.com",
    "password": "deptrai123",
    "first_name": "dep",
    "last_name": "trai",
    "address": "123 quan 9",
    "phone_number": "0110213813"
}'`,
  login: String.raw`curl --location 'http://localhost/api/v1/account/login' \
--header 'Content-Type: application/json' \
--data-raw '{
    "email": "deptrai@gmail.com",
    "password": "deptrai123"
}'`,
  personal: String.raw`curl --location 'http://localhost/api/v1/account/customer/personal' \
--header 'Content-Type: application/json' \
${authorization} \
--data-raw ''`,
  category: String.raw`curl --location 'http://localhost/api/v1/categories' \
--header 'Content-Type: application/json' \
${authorization} \
--data '{
    "name" : "Phone",
    "description": "Smartphone"
}'`,
  iphone13: String.raw`curl --location 'http://localhost/api/v1/products' \
--header 'Content-Type: application/json' \
${authorization} \
--data '{
    "category_id": "<category_id>",
    "id_account": "<id_account>",
    "name": "Iphone 13",
    "description": "Iphone 13",
    "brand_name": "Apple",
    "price": 125,
    "inventory": 1000
}'`,
  iphone14: String.raw`curl --location 'http://localhost/api/v1/products' \
--header 'Content-Type: application/json' \
${authorization} \
--data '{
    "category_id": "<category_id>",
    "id_account": "<id_account>",
    "name": "Iphone 14 Pro",
    "description": "Iphone 14 Pro",
    "brand_name": "Apple",
    "price": 150,
    "inventory": 1000
}'`,
  purchase: String.raw`curl --location 'http://localhost/api/v1/purchases' \
--header 'Content-Type: application/json' \
${authorization} \
--data '{
    "order_items": [
        {
            "product_id": <first_product_id>,
            "quantity": 4
        },
        {
            "product_id": <second_product_id>,
            "quantity": 5
        }
    ],
    "payment": {
        "currency_code": "VND"
    }
}'`,
  // With the backslash that it ends with.
  upload: String.raw`curl --location --request POST 'http://localhost/api/v1/media/upload' \
${authorization} \
--header 'Content-Type: application/json' \
-F "product_id=<YOUR_PRODUCT_ID>" \
-F "alt=<YOUR_ALTERNATIVE_TEXT>" \
-F "data=@<PATH_TO_IMAGE_FILE1>" \
-F "data=@<PATH_TO_IMAGE_FILE2>" \
-F "data=@<PATH_TO_IMAGE_FILE3>" ${'\\'}`,
}

describe('the walk-through of the shop, with curl', () => {
  // Of its own, so that it can be walked again on the same shop.
  const email = `deptrai-${randomBytes(6).toString('hex')}@gmail.com`
  const known: Record<string, string> = {}
  const ids = { first: '', second: '' }
  let folder: string
  let media: Media[]

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'walk-'))
    known.PATH_TO_IMAGE_FILE1 = join(folder, 'front.png')
    known.PATH_TO_IMAGE_FILE2 = join(folder, 'back.jpg')
    known.PATH_TO_IMAGE_FILE3 = join(folder, 'turning.mp4')
    await writeFile(known.PATH_TO_IMAGE_FILE1, await imageFile('png'))
    await writeFile(known.PATH_TO_IMAGE_FILE2, await imageFile('jpeg'))
    await writeFile(known.PATH_TO_IMAGE_FILE3, mp4File())
  })

  after(() => rm(folder, { recursive: true }))

  /** The body of a command's answer, which must have the status. */
  async function run(command: string, expected: number) {
    const filled = fillIn(command.replaceAll('deptrai@gmail.com', email), known)
    const { status, body } = await curl(filled)
    assert.equal(status, expected, `${command}: ${status} ${JSON.stringify(body)}`)
    return body
  }

  const read = (path: string) => run(`curl 'http://localhost/api/v1${path}' ${authorization}`, 200)

  it('registers, which gives a token pair', async () => {
    const { access_token, refresh_token } = await run(commands.register, 201)

    assert.equal(typeof access_token, 'string')
    assert.equal(typeof refresh_token, 'string')
  })

  it('verifies the address with the code that the mail catcher got', async () => {
    const code = codeIn((await waitForMails(email, 1))[0])

    await run(
      `curl 'http://localhost/api/v1/account/verify' --header 'Content-Type: application/json' \\
       --data '{ "email": "${email}", "code": "${code}" }'`,
      204,
    )
  })

  it('logs in, and refreshes', async () => {
    const { refresh_token } = await run(commands.login, 200)

    const { access_token } = await run(
      `curl 'http://localhost/api/v1/account/refresh' --header 'Content-Type: application/json' \\
       --data '{ "refresh_token": "${refresh_token}" }'`,
      200,
    )

    known.access_token = String(access_token)
  })

  it('shows personal information, and where purchases go', async () => {
    const { id, ...personal } = await run(commands.personal, 200)

    known.id_account = String(id)
    assert.deepEqual(personal, {
      email,
      email_verified: true,
      first_name: 'dep',
      last_name: 'trai',
      address: '123 quan 9',
      phone_number: '0110213813',
      roles: ['buyer', 'seller'],
    })
    assert.deepEqual(await read('/account/customer/personal'), { id, ...personal })
    assert.deepEqual(await read('/account/customer/delivery'), {
      address: '123 quan 9',
      phone_number: '0110213813',
    })
  })

  it('creates a category', async () => {
    const category = await run(commands.category, 201)

    known.category_id = String(category.id)
    assert.deepEqual(await read(`/categories/${category.id}`), category)
  })

  it('creates two products, which everybody can read and find', async () => {
    ids.first = String((await run(commands.iphone13, 201)).id)
    ids.second = String((await run(commands.iphone14, 201)).id)
    known.first_product_id = JSON.stringify(ids.first)
    known.second_product_id = JSON.stringify(ids.second)

    const { body } = await curl(`curl 'http://localhost/api/v1/products/${ids.second}'`)
    assert.equal(body.name, 'Iphone 14 Pro')
    assert.equal(body.inventory, 1000)
    const found = await curl(
      `curl 'http://localhost/api/v1/products?q=iphone%2014&id_account=${known.id_account}'`,
    )
    assert.deepEqual(found.body.items, [body])
  })

  it('changes a product', async () => {
    const changed = await run(
      `curl --request PUT 'http://localhost/api/v1/products/${ids.first}' \\
       --header 'Content-Type: application/json' ${authorization} \\
       --data '{ "description": "Iphone 13, as good as new" }'`,
      200,
    )

    assert.equal(changed.description, 'Iphone 13, as good as new')
  })

  it('uploads two images and a video of a product', async () => {
    known.YOUR_PRODUCT_ID = ids.first
    known.YOUR_ALTERNATIVE_TEXT = 'The phone'

    media = (await run(commands.upload, 201)).items as Media[]

    assert.deepEqual(
      media.map(({ kind, content_type, alt }) => [kind, content_type, alt]),
      [
        ['image', 'image/png', 'The phone'],
        ['image', 'image/jpeg', 'The phone'],
        ['video', 'video/mp4', 'The phone'],
      ],
    )
    const listed = await read(`/media?product_id=${ids.first}`)
    assert.deepEqual(listed.items, media.toReversed())
  })

  it('gets every file from the CDN as it was sent, without a token', async () => {
    const [png, jpg, mp4] = media
    assert.ok(png && jpg && mp4)

    for (const [path, file, type] of [
      [`images/${png.id}`, known.PATH_TO_IMAGE_FILE1, 'image/png'],
      [`images/${jpg.id}`, known.PATH_TO_IMAGE_FILE2, 'image/jpeg'],
      [`videos/${mp4.id}`, known.PATH_TO_IMAGE_FILE3, 'video/mp4'],
    ] as const) {
      const { status, contentType, content } = await curl(`curl 'http://localhost:9000/${path}'`)

      assert.equal(status, 200, path)
      assert.equal(contentType, type)
      assert.ok(content.equals(await readFile(file ?? '')), path)
    }
  })

  it('buys: the purchase completes, with its order, payment and stock', async () => {
    const accepted = await run(commands.purchase, 202)
    const id = accepted.purchase_id
    assert.equal(accepted.amount, 1250)

    for (const [path, status] of [
      [`/purchases/${id}`, 'COMPLETED'],
      [`/orders/${id}`, 'CONFIRMED'],
      [`/payments/${id}`, 'CAPTURED'],
    ] as const) {
      const shown = await waitFor(`${path} to be ${status}`, async () => {
        const found = await read(path)
        return found.status === status && found
      })
      assert.equal(shown.amount, 1250)
    }
    const stock = await Promise.all(
      [ids.first, ids.second].map(
        async (product) => (await read(`/products/${product}`)).inventory,
      ),
    )
    assert.deepEqual(stock, [996, 995])
    for (const list of ['purchases', 'orders', 'payments']) {
      assert.equal(((await read(`/${list}`)).items as unknown[]).length, 1, list)
    }
  })

  it('is mailed that the purchase is complete', async () => {
    const mails = await waitForMails(email, 2)

    assert.equal(mails[1]?.subject, 'Your purchase is complete')
  })
})
