import type { ErrorRequestHandler, Express, Request, RequestHandler, Response } from 'express'
import { pinoHttp, startTime } from 'pino-http'
import { httpSerializers, type Logger } from '../runtime/logger.ts'

/** At level debug every request has its line, else those that fail: describing each costs as much as parsing it. */
export function mountLogging(app: Express, logger: Logger, mountRest: () => void): void {
  const log = pinoHttp({ logger, serializers: httpSerializers, customLogLevel: logLevel })
  const logsAll = logger.isLevelEnabled('debug')
  app.use(logsAll ? log : noteStart)
  mountRest()
  if (!logsAll) app.use(logFailure(log))
}

const noteStart: RequestHandler = (_request, response, next) => {
  response[startTime] = Date.now()
  next()
}

function logFailure(log: (request: Request, response: Response) => void): ErrorRequestHandler {
  return (error, request, response, next) => {
    log(request, response)
    next(error)
  }
}

function logLevel(_request: unknown, response: { statusCode: number }, error?: Error) {
  if (error || response.statusCode >= 500) return 'error'
  return response.statusCode >= 400 ? 'info' : 'debug'
}
