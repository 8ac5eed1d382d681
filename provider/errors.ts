/** The body of a failed call, in Stripe's shape. */
export type ErrorBody = {
  type: 'api_error' | 'card_error' | 'idempotency_error' | 'invalid_request_error'
  code?: string
  decline_code?: string
  message: string
  param?: string
  payment_intent?: object
}

/** A call that is answered with an error. `kept`: what it did before stays, and a repeat of its key gets the same. */
export class ApiError extends Error {
  override name = 'ApiError'
  readonly status: number
  readonly body: ErrorBody
  readonly kept: boolean
  readonly headers: Record<string, string>

  constructor(
    status: number,
    body: ErrorBody,
    { kept = false, headers = {} }: { kept?: boolean; headers?: Record<string, string> } = {},
  ) {
    super(body.message)
    this.status = status
    this.body = body
    this.kept = kept
    this.headers = headers
  }
}

export function invalidRequest(message: string, rest: Partial<ErrorBody> = {}, status = 400) {
  return new ApiError(status, { type: 'invalid_request_error', message, ...rest })
}

export function missing(what: string, id: string, param: string): ApiError {
  return invalidRequest(`No such ${what}: '${id}'`, { code: 'resource_missing', param }, 404)
}

export function brokenApi(message = 'Something went wrong on our end.'): ApiError {
  return new ApiError(500, { type: 'api_error', message }, { kept: true })
}
