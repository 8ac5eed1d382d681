import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import express, { type Router } from 'express'
import helmet from 'helmet'
import { apiPrefix } from '../contracts/route.ts'
import { createOpenApiDocument } from './openapi.ts'

const documentPath = `${apiPrefix}/openapi.json`
/** Of the package swagger-ui-dist, which is never loaded here. */
const viewer = dirname(fileURLToPath(import.meta.resolve('swagger-ui-dist/package.json')))
const files = ['swagger-ui.css', 'swagger-ui-bundle.js', 'favicon-32x32.png']

const page = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>Shop API</title>
    <link rel="icon" href="/docs/favicon-32x32.png">
    <link rel="stylesheet" href="/docs/swagger-ui.css">
  </head>
  <body>
    <div id="api"></div>
    <script src="/docs/swagger-ui-bundle.js"></script>
    <script src="/docs/start.js"></script>
  </body>
</html>
`

const options = { url: documentPath, dom_id: '#api', deepLinking: true, validatorUrl: null }
const script = `SwaggerUIBundle(${JSON.stringify(options)})\n`

/** The OpenAPI document of all services, and a page that shows it. Nothing comes from elsewhere. */
export function createApiDocs(): Router {
  const document = createOpenApiDocument()
  const router = express.Router()
  router.get(documentPath, (_request, response) => {
    response.json(document)
  })
  router.use(
    '/docs',
    // The shop speaks HTTP: a browser that asks for the page's files by HTTPS would get none.
    helmet.contentSecurityPolicy({ directives: { upgradeInsecureRequests: null } }),
  )
  router.get('/docs', (_request, response) => {
    response.type('html').send(page)
  })
  router.get('/docs/start.js', (_request, response) => {
    response.type('js').send(script)
  })
  for (const file of files) {
    router.get(`/docs/${file}`, (_request, response) => {
      response.sendFile(file, { root: viewer })
    })
  }
  return router
}
