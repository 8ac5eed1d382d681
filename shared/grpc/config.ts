import { env, type ProcessConfig } from '../runtime/config.ts'

/** The variables of every process that serves gRPC. */
export const grpcEnv = { GRPC_PORT: env.port }

/** What every service's gRPC side takes from its configuration. */
export function grpcSettings(config: ProcessConfig & { GRPC_PORT: number }) {
  return { host: config.HTTP_HOST, port: config.GRPC_PORT, maxInFlight: config.MAX_IN_FLIGHT }
}
