import express, { type Router } from 'express'
import * as accountOperators from '../contracts/account-operators.ts'
import * as consoleContract from '../contracts/console.ts'
import * as lab from '../contracts/lab.ts'
import * as operator from '../contracts/operator.ts'
import * as payment from '../contracts/payment.ts'
import * as purchase from '../contracts/purchase.ts'
import * as refund from '../contracts/refund.ts'
import { apiPrefix } from '../contracts/route.ts'
import * as sagaDetails from '../contracts/saga-details.ts'
import { describeRoutes } from './openapi.ts'

const documentPath = `${apiPrefix}/console/openapi.json`

const tags = {
  sagas: 'Sagas: find them, and act on those that cannot continue',
  console: 'What the console shows, and how a browser signs in',
  refunds: 'Refunds of completed purchases, and their sagas',
  audit: 'What operators did, and sweeps in their place',
  roles: 'What accounts may do',
  provider: 'What the payment provider reported that nobody here asked for',
  lab: 'The failure lab; refused when `APP_ENV` is `production`',
}

const description = `What operators do. It is served on an entry point of its own, which is not public.

A program sends an operator token as bearer token. A page exchanges it for a cookie with \`POST /console/session\`;
requests with the cookie that may change something must come from a page of the same origin.`

/** The OpenAPI 3.1 document of what operators can do, made from the contracts that the services check with. */
export function createOperatorDocument() {
  return describeRoutes({
    title: 'Shop: operators',
    description,
    tables: {
      sagas: operator.operatorRoutes,
      console: consoleContract.consoleRoutes,
      refunds: { ...refund.operatorRefundRoutes, ...operator.refundSagaRoutes },
      audit: purchase.auditRoutes,
      roles: accountOperators.accountOperatorRoutes,
      provider: payment.providerEventRoutes,
      lab: lab.labRoutes,
    },
    tags,
    contracts: [
      consoleContract,
      lab,
      operator,
      refund,
      sagaDetails,
      { PurchaseAction: purchase.PurchaseAction, AccountRoles: accountOperators.AccountRoles },
    ],
    securitySchemes: {
      bearer: { type: 'http', scheme: 'bearer' },
      session: { type: 'apiKey', in: 'cookie', name: 'operator_session' },
    },
  })
}

/** Serves the document. It tells what operators can do and nothing of the shop, so it needs no token. */
export function createOperatorDocs(): Router {
  const document = createOperatorDocument()
  const router = express.Router()
  router.get(documentPath, (_request, response) => {
    response.json(document)
  })
  return router
}
