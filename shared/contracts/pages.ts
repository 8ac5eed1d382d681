/**
 * The paths of the front end's pages, in the form of routes. The service that serves them answers each with the same
 * document, in which the front end shows the page; any other path is not found.
 */
export const pagePaths = [
  '/',
  '/products/:id',
  '/basket',
  '/purchases',
  '/purchases/:id',
  '/orders',
  '/payments',
  '/sell',
  '/sell/new',
  '/sell/:id',
  '/sales',
  '/login',
  '/register',
  '/verify',
  '/forgot',
  '/reset',
  '/profile',
] as const

export type PagePath = (typeof pagePaths)[number]

/** The same of what operators open, on their own entry point. */
export const operatorPagePaths = [
  '/',
  '/console',
  '/console/sagas/:id',
  '/console/refunds',
  '/console/provider-events',
  '/console/dead-letters',
  '/console/roles',
  '/lab',
] as const
