import type { Server } from 'node:http'
import type { Socket } from 'node:net'
import type { ErrorRequestHandler, Response } from 'express'
import { type ErrorKind, errorKinds, type Problem } from '../contracts/problem.ts'
import { isDatabaseUnavailable } from '../database/failures.ts'
import { AppError, toProblem } from '../runtime/errors.ts'

const contentType = 'application/problem+json'

/** What express, its body parser and the database throw, in our terms. */
function normalize(error: unknown): unknown {
  const { type, status } = error as { type?: string; status?: number }
  if (type === 'entity.parse.failed') return new AppError('invalid', 'the body is not valid JSON')
  if (status === 413) return new AppError('too_large', 'the body is too large', { cause: error })
  if (status === 415) {
    const detail = 'the encoding or charset of the body is not known'
    return new AppError('unsupported_media_type', detail, { cause: error })
  }
  if (typeof status === 'number' && status >= 400 && status < 500) {
    return new AppError('invalid', 'the request cannot be read', { cause: error })
  }
  if (isDatabaseUnavailable(error)) {
    return new AppError('unavailable', 'the database does not answer', { cause: error })
  }
  return error
}

/** Answers an error as problem+json, with the headers that its status asks for. */
export function sendProblem(response: Response, error: unknown, instance?: string): void {
  const problem: Problem = { ...toProblem(error), ...(instance !== undefined && { instance }) }
  if (problem.status === 401) response.set('WWW-Authenticate', 'Bearer')
  if (problem.status === 503) response.set('Retry-After', '1')
  if (error instanceof AppError && error.retryAfterSeconds !== undefined) {
    response.set('Retry-After', String(error.retryAfterSeconds))
  }
  response.status(problem.status).type(contentType).json(problem)
}

/** Express's last handler: answers whatever was thrown as problem+json. */
export const answerProblem: ErrorRequestHandler = (thrown, request, response, next) => {
  if (response.closed) return
  if (response.headersSent) {
    next(thrown)
    return
  }
  const error = normalize(thrown)
  // pino-http writes the request's one log line, with this error in it.
  if (toProblem(error).status >= 500) response.err = error as Error
  sendProblem(response, error, request.path)
}

const unreadable: Record<string, ErrorKind> = {
  HPE_HEADER_OVERFLOW: 'headers_too_large',
  ERR_HTTP_REQUEST_TIMEOUT: 'request_timeout',
}

/** Answers what is no HTTP request, or never becomes a whole one, in the same form. */
export function answerUnreadable(server: Server): void {
  const answering = new WeakSet<Socket>()
  server.on('request', ({ socket }, response) => {
    answering.add(socket)
    response.once('close', () => answering.delete(socket))
  })
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => {
    // In the middle of an answer another would only be part of it.
    if (!socket.writable || answering.has(socket) || error.code === 'ECONNRESET') {
      socket.destroy(error)
      return
    }
    const kind = unreadable[error.code ?? ''] ?? 'invalid'
    const problem = JSON.stringify(toProblem(new AppError(kind, 'the request cannot be read')))
    const head = [
      `HTTP/1.1 ${errorKinds[kind].http} ${errorKinds[kind].title}`,
      `Content-Type: ${contentType}`,
      `Content-Length: ${Buffer.byteLength(problem)}`,
      'Connection: close',
    ]
    socket.end(`${head.join('\r\n')}\r\n\r\n${problem}`)
  })
}
