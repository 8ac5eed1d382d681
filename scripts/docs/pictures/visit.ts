import type { Browser, BrowserContext, BrowserContextOptions, Page } from 'playwright-core'

const pageDeadlineMs = 60_000

/** A page without motion, in the language and time zone of all pictures. */
export async function openPage(
  browser: Browser,
  options: BrowserContextOptions = {},
): Promise<{ context: BrowserContext; page: Page }> {
  const context = await browser.newContext({
    ...{ locale: 'en-GB', timezoneId: 'UTC', reducedMotion: 'reduce' as const },
    ...options,
  })
  context.setDefaultTimeout(pageDeadlineMs)
  return { context, page: await context.newPage() }
}

/** Registers by the page, as a customer does. */
export async function register(page: Page): Promise<void> {
  await page.goto('/register')
  await page.getByLabel('Email').fill('mai.lan@example.com')
  await page.getByLabel('Password').fill('correct horse battery')
  await page.getByLabel('First name').fill('Mai')
  await page.getByLabel('Last name').fill('Lan')
  await page.getByLabel('Address').fill('12 Hàng Gai, Hà Nội')
  await page.getByLabel('Phone number').fill('0123456789')
  await page.getByRole('button', { name: 'Register' }).click()
  await page.getByRole('link', { name: 'Later' }).click()
  await page.getByRole('heading', { name: 'Products' }).waitFor()
}

/** Puts some of a product into the basket, and goes there. */
export async function fillBasket(page: Page, productId: string, method: string): Promise<void> {
  await page.goto(`/products/${productId}`)
  await page.getByRole('button', { name: 'Add to basket' }).click()
  await page.getByRole('link', { name: 'Go to the basket' }).click()
  await page.getByLabel(new RegExp(`^${method}`)).check()
}

/** Buys what is in the basket. Answers the id of the purchase, whose page is shown then. */
export async function buy(page: Page): Promise<string> {
  await page.getByRole('button', { name: /^Buy for/ }).click()
  await page.getByRole('list', { name: 'Steps' }).waitFor()
  return page.url().split('/').at(-1) ?? ''
}
