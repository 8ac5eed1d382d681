import { readFileSync, realpathSync } from 'node:fs'
import { join } from 'node:path'
import express, { type RequestHandler, type Router } from 'express'
import helmet from 'helmet'
import sirv from 'sirv'
import { operatorPagePaths, pagePaths } from '../contracts/pages.ts'

/**
 * For customers and for operators: Traefik puts the prefix before every path that is no API's, so that a page cannot
 * have the path of an operation. What operators open has another prefix, which the public entry point never sends.
 */
const fronts = [
  { prefix: '/web', document: 'index.html', paths: pagePaths },
  { prefix: '/operators-web', document: 'console.html', paths: operatorPagePaths },
]

/**
 * Serves the built front end of `root`, with the compressed copies beside its files. Pages run only what comes from
 * their own origin, and show images of `imageOrigin` as well. Without a root it serves nothing.
 */
export function createWebApp({ root, imageOrigin }: { root: string; imageOrigin: string }): Router {
  const router = express.Router()
  if (root === '') return router
  // A later build changes where the path leads, and this process goes on with the files that it has listed.
  const folder = realpathSync(root)
  const files = sirv(folder, {
    brotli: true,
    gzip: true,
    etag: true,
    // Documents are answered by the paths of their pages only.
    extensions: [],
    setHeaders(response, path) {
      response.setHeader('Cache-Control', path.startsWith('/assets/') ? immutable : 'no-cache')
    },
  })
  const policy = policyFor(new URL(imageOrigin).origin)
  for (const { prefix, document, paths } of fronts) {
    const page = readFileSync(join(folder, document))
    const pages = paths.map((path) => new RegExp(`^${path.replaceAll(/:\w+/g, '[^/]+')}/?$`))
    router.use(prefix, policy, (request, response, next) => {
      if (request.method !== 'GET' && request.method !== 'HEAD') {
        next()
        return
      }
      // No file is large enough to be read in parts.
      delete request.headers.range
      const notFound = () => {
        if (pages.some((path) => path.test(request.path))) {
          request.url = `/${document}`
          files(request, response, next)
        } else if (request.headers.accept?.includes('text/html')) {
          // A person gets a page that says so; a program gets the problem of all other paths.
          response.status(404).set('Cache-Control', 'no-cache').type('html').send(page)
        } else next()
      }
      if (request.path.endsWith('.html')) notFound()
      else files(request, response, notFound)
    })
  }
  return router
}

function policyFor(imageOrigin: string): RequestHandler {
  return helmet.contentSecurityPolicy({
    useDefaults: false,
    directives: {
      defaultSrc: ["'none'"],
      scriptSrc: ["'self'"],
      styleSrc: ["'self'"],
      imgSrc: ["'self'", imageOrigin],
      mediaSrc: [imageOrigin],
      connectSrc: ["'self'"],
      fontSrc: ["'self'"],
      manifestSrc: ["'self'"],
      formAction: ["'self'"],
      baseUri: ["'none'"],
      frameAncestors: ["'none'"],
    },
  })
}

const immutable = 'public, max-age=31536000, immutable'
