import assert from 'node:assert/strict'
import { Client } from 'pg'
import { newId } from '../../shared/contracts/ids.ts'
import { openProductHttp, type ProductHttp } from '../../test/helpers/product-http.ts'

describe('GET /products?q=', () => {
  let http: ProductHttp

  before(async () => {
    http = await openProductHttp()
  })

  after(() => http.close())

  const search = async (seller: string, text: string) => {
    const query = new URLSearchParams({ q: text, id_account: seller })
    const { status, body } = await http.call('GET', `/products?${query}`)
    assert.equal(status, 200, text)
    return body.items.map(({ name }) => name)
  }

  it('finds products by how the words of their name, brand and description begin', async () => {
    const seller = newId()
    const texts = { brand_name: 'Apple', description: 'Smartphone, 128GB, USB/HDMI, wi-fi' }
    await http.addProduct(seller, { ...texts, name: 'Iphone-13' })
    await http.addProduct(seller, { ...texts, name: 'Iphone 14 Pro' })
    await http.addProduct(seller, {
      name: 'Trà xanh Đà Lạt',
      brand_name: 'Hill',
      description: '5% off',
    })

    const both = ['Iphone 14 Pro', 'Iphone-13']
    const expected: Record<string, string[]> = {
      iphone: both,
      'IPH app': both,
      '128gb': both,
      hdmi: both,
      'Wi-Fi usb': both,
      '13': ['Iphone-13'],
      '  pro, iphone! ': ['Iphone 14 Pro'],
      'tra xanh': ['Trà xanh Đà Lạt'],
      'ĐÀ LẠT': ['Trà xanh Đà Lạt'],
      'da lat hill': ['Trà xanh Đà Lạt'],
      hone: [],
      'iphone samsung': [],
    }
    for (const [text, names] of Object.entries(expected)) {
      assert.deepEqual(await search(seller, text), names, text)
    }
  })

  it('finds every accented character by the plain one that people type for it', async () => {
    const seller = newId()
    const name = 'Łódź STRAẞE Ærø Œuvre İstanbul Kapı Ðorð Þing Søndag ｐｈｏｎｅ ΣΊΣΥΦΟΣ'
    await http.addProduct(seller, { name })

    for (const text of [
      ...['lodz', 'LODZ', 'łódź', 'strasse', 'straße', 'aero', 'ærø', 'oeuvre', 'istanbul'],
      ...['kapi', 'dord', 'thing', 'sondag', 'phone', 'Ｐｈｏｎｅ', 'σισυφος'],
    ]) {
      assert.deepEqual(await search(seller, text), [name], text)
    }
  })

  it('treats every text as words, and never as a query', async () => {
    const seller = newId()
    await http.addProduct(seller, { name: "O'Reilly & Sons" })

    assert.deepEqual(await search(seller, "o'reilly"), ["O'Reilly & Sons"])
    for (const text of [
      ...["' OR 1=1 --", "'; DROP TABLE products; --", "x':*|'", "a'::tsquery", '!!!', '&', ':*'],
      ...['\\', "\\'", '<->', '(', '%', '$1', 'x‮', '茶', '🍵', 'x\u0301', 'a'.repeat(100)],
    ]) {
      assert.deepEqual(await search(seller, text), [], text)
    }
  })

  it('refuses a text that is empty, too long or given twice', async () => {
    for (const query of ['q=', 'q=%20', `q=${'a'.repeat(101)}`, 'q=a&q=b', 'q=a%00b']) {
      const { status, body } = await http.call('GET', `/products?${query}`)
      assert.equal(status, 400, query)
      assert.equal(body.errors?.[0]?.field, 'q', query)
    }
  })

  it('is read page by page while products are added', async () => {
    const seller = newId()
    const category_id = await http.addCategory()
    const word = `w${newId().replaceAll('-', '')}`
    const ids: string[] = []
    for (let count = 0; count < 5; count++) {
      const added = await http.addProduct(seller, { category_id, description: `${word} ${count}` })
      ids.push(added.id)
      await http.addProduct(seller)
    }

    const { body } = await http.call('GET', `/products?q=${word}&limit=2`)
    await http.addProduct(seller, { description: word })
    const rest = await http.pages(`/products?q=${word}`, body.next_cursor ?? 'none')

    assert.deepEqual([...body.items.map(({ id }) => id), ...rest], ids.toReversed())
    assert.equal((await http.pages(`/products?q=${word}`)).length, 6)
    assert.deepEqual(
      await http.pages(`/products?q=${word}&category_id=${category_id}`),
      ids.toReversed(),
    )
    assert.deepEqual(await http.pages(`/products?q=${word}&id_account=${newId()}`), [])
  })

  it('reads a rare word from the index, and a frequent one from the newest products', async () => {
    const client = new Client({ connectionString: http.database.url })
    await client.connect()
    // The table is too small for PostgreSQL to choose an index on its own.
    await client.query('SET enable_seqscan = off')
    const explain = async (sql: string) => {
      const { rows } = await client.query(`EXPLAIN ${sql}`)
      return rows.map((row) => row['QUERY PLAN']).join('\n')
    }
    const asked = "words @@ (SELECT search_query('tea'))"
    const newest = await explain(`SELECT id FROM (
      SELECT id, words FROM products ORDER BY id DESC LIMIT 5000) AS newest WHERE ${asked}`)
    const matching = await explain(`WITH matching AS MATERIALIZED (
      SELECT id FROM products WHERE ${asked}) SELECT id FROM matching ORDER BY id DESC LIMIT 21`)
    await client.end()

    assert.match(newest, /Index Scan Backward using products_pkey/)
    assert.match(matching, /Bitmap Index Scan on products_words_idx/)
  })

  it('finds words that only old products have', async () => {
    const seller = newId()
    const word = `w${newId().replaceAll('-', '')}`
    const { id } = await http.addProduct(seller, { name: word })
    await http.database.query(`
      INSERT INTO products
        (id, category_id, account_id, name, description, brand_name, price, stock, received)
      SELECT gen_random_uuid(), category_id, account_id, 'Tea', 'Leaves', 'Hill', 1, 1, 1
      FROM products, generate_series(1, 1000) WHERE id = '${id}'`)
    // Their random ids sort after one that begins with the time.
    assert.deepEqual(await http.pages(`/products?q=${word}`), [id])
  })
})
