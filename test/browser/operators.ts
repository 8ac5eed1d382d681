import type { Page } from 'playwright-core'
import { testStack } from '../helpers/stack.ts'

/** Signs the operator of the test stack in; the page shows the overview afterwards. */
export async function signInOperator(page: Page): Promise<void> {
  const { urls, secrets } = await testStack()
  await page.goto(`${urls.operators}/console`)
  await page.getByLabel('Operator token').fill(secrets.operatorToken)
  await page.keyboard.press('Enter')
  await page.getByRole('heading', { name: 'Overview' }).waitFor()
}
