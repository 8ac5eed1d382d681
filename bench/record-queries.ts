const maxExamples = 20

const ageMs = (column: string) => `(extract(epoch FROM now() - ${column}) * 1000)::float8 AS age_ms`

/** What the reconciler reads of a purchase in each database, and of all stock. */
export const sql = {
  purchases:
    'SELECT id, status, amount, currency_code, lines, refunded_amount AS refunded FROM purchases',
  orders: `
    SELECT id, status, amount, currency_code, ${ageMs('created_at')},
      (SELECT coalesce(json_agg(json_build_object(
          'product_id', product_id, 'quantity', quantity, 'unit_price', unit_price)), '[]')
        FROM order_lines WHERE order_id = id) AS lines
    FROM orders`,
  payments: `
    SELECT id, status, amount, currency_code, provider_reference AS reference, refunded_amount AS refunded,
      (SELECT coalesce(json_agg(json_build_object('id', id, 'status', status, 'amount', amount,
          'returned', provider_reference IS NOT NULL, 'product_ids', product_ids)), '[]')
        FROM refunds WHERE payment_id = payments.id) AS refunds
    FROM payments`,
  holds: `SELECT purchase_id, product_id, quantity, status, ${ageMs('updated_at')} FROM holds`,
  // One statement, and so one moment: every move of stock changes product and hold in one transaction.
  stock: `
    WITH in_holds AS (
      SELECT product_id, count(*) AS holds,
        coalesce(sum(quantity) FILTER (WHERE status = 'HELD'), 0)::float8 AS held,
        coalesce(sum(quantity) FILTER (WHERE status = 'SOLD'), 0)::float8 AS sold
      FROM holds GROUP BY product_id
    ), counted AS (
      SELECT id, received, stock, products.held, products.sold,
        coalesce(in_holds.held, 0) AS held_in_holds, coalesce(in_holds.sold, 0) AS sold_in_holds,
        coalesce(holds, 0) AS holds
      FROM products LEFT JOIN in_holds ON product_id = id
    ), wrong AS (
      SELECT * FROM counted
      WHERE received <> stock::bigint + held + sold OR least(received, stock, held, sold) < 0
        OR held <> held_in_holds OR sold <> sold_in_holds
    ), examples AS (
      SELECT *, ARRAY(SELECT DISTINCT purchase_id FROM holds WHERE product_id = wrong.id
        ORDER BY purchase_id LIMIT ${maxExamples}) AS buyers
      FROM wrong ORDER BY id LIMIT ${maxExamples}
    )
    SELECT (SELECT count(*)::float8 FROM counted) AS products, (SELECT coalesce(sum(holds), 0)::float8 FROM counted) AS holds,
      (SELECT count(*)::float8 FROM wrong) AS wrong, (SELECT coalesce(json_agg(examples), '[]') FROM examples) AS examples`,
}
