import { lazy } from 'preact-iso'
import type { PagePath } from '../../shared/contracts/pages.ts'
import { Home } from './pages/home.tsx'
import type { Page } from './parts/page.ts'

/** A page whose code is loaded when it is first shown. The first page is part of the first load. */
const load = (file: () => Promise<Page>): Page => lazy(file) as unknown as Page

/** The page of each path; one that is missing does not compile. */
export const routes: Record<PagePath, Page> = {
  '/': Home,
  '/products/:id': load(async () => (await import('./pages/product.tsx')).ProductPage),
  '/basket': load(async () => (await import('./pages/basket.tsx')).BasketPage),
  '/purchases': load(async () => (await import('./pages/purchases.tsx')).PurchasesPage),
  '/purchases/:id': load(async () => (await import('./pages/purchase.tsx')).PurchasePage),
  '/orders': load(async () => (await import('./pages/orders.tsx')).OrdersPage),
  '/payments': load(async () => (await import('./pages/payments.tsx')).PaymentsPage),
  '/sell': load(async () => (await import('./pages/sell.tsx')).SellPage),
  '/sell/new': load(async () => (await import('./pages/sell-new.tsx')).SellNewPage),
  '/sell/:id': load(async () => (await import('./pages/sell-product.tsx')).SellProductPage),
  '/sales': load(async () => (await import('./pages/sales.tsx')).SalesPage),
  '/login': load(async () => (await import('./pages/login.tsx')).LoginPage),
  '/register': load(async () => (await import('./pages/register.tsx')).RegisterPage),
  '/verify': load(async () => (await import('./pages/verify.tsx')).VerifyPage),
  '/forgot': load(async () => (await import('./pages/forgot.tsx')).ForgotPage),
  '/reset': load(async () => (await import('./pages/reset.tsx')).ResetPage),
  '/profile': load(async () => (await import('./pages/profile.tsx')).ProfilePage),
}
